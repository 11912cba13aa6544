"""A city of toy programs for the tests of the supervisor: `python -m tests.embedded.small_city HOME PORT FLAW`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import psycopg

from chengshu import logs
from chengshu.core.errors import ChengshuError
from chengshu.embedded import children
from chengshu.embedded.children import Program
from chengshu.embedded.home import Home
from chengshu.embedded.supervisor import City, run_city, web_program

WORKER = (
    "import signal, threading; s = threading.Event(); signal.signal(15, lambda *_: s.set()); "
    "print('at work', flush=True); s.wait()"
)
DYING = "print('I cannot live', flush=True); raise SystemExit(9)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('at work', flush=True); time.sleep(600)"


def application(environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer with the number that the database holds."""
    with psycopg.connect(os.environ["CHENGSHU_DATABASE_URL"]) as connection:
        row = connection.execute("SELECT count(*) FROM starts").fetchone()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(row[0] if row else "").encode()]


def prepare(url: str) -> None:
    """Count the starts."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO starts DEFAULT VALUES")


def program(name: str, code: str, *, lasting: bool = True) -> Program:
    """Return a program of a few lines of Python."""
    return Program(name=name, argv=(sys.executable, "-c", code), lasting=lasting)


def main(home: str, port: str, flaw: str) -> int:
    """Run until told to stop; `flaw` names what goes wrong."""
    logs.configure()
    children.FIRST_PAUSE = 0.05
    worker = {"dying": DYING, "stubborn": STUBBORN}.get(flaw, WORKER)
    city = City(
        home=Home(folder=Path(home)),
        host="127.0.0.1",
        port=int(port),
        programs=[
            web_program(
                host="127.0.0.1",
                port=int(port),
                workers=2,
                threads=2,
                application="tests.embedded.small_city:application",
            ),
            program("worker", worker),
            program("replay", DYING if flaw == "replay" else "print('played')", lasting=False),
        ],
        prepare=prepare,
        greet=lambda url: print("open", url, flush=True),
    )
    try:
        return run_city(city)
    except ChengshuError as error:
        print(error, flush=True)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
