"""A real city in processes of its own, started as `chengshu run` starts it: for measurements, and for tests from outside."""

from __future__ import annotations

import hashlib
import html
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.load import Client
from chengshu.embedded.home import Home
from chengshu.embedded.postgres import running_url

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "a-word-for-demo-accounts"
START_LIMIT = 240.0  # seconds; the first start makes the database and loads the packs
PARTS = ("supervisor", "web", "worker", "live", "database")


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A folder for a city that the account of the embedded database may enter; it goes when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="cs-", dir="/tmp" if Path("/tmp").is_dir() else None))
    folder.chmod(0o755)
    try:
        yield folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class City:
    """A city of a folder. `start()` returns when it can be used; `stop()` leaves no process."""

    home: Path
    packs: str = "boston"
    replays: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    live_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.home.parent / f"{self.home.name}.log"

    def start(self) -> float:
        """Start and wait until the city is ready; the seconds that this took."""
        begin = time.perf_counter()
        self.home.parent.mkdir(parents=True, exist_ok=True)
        ports = ["--port", str(self.port), "--live-port", str(self.live_port)]
        words = ["run", *ports, "--packs", self.packs, "--replays", self.replays]
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "chengshu", *words],
                cwd=ROOT,
                env=self.whole_environment(),
                stdout=sink,
                stderr=sink,
            )
        while not self._ready():
            if self.process.poll() is not None or time.perf_counter() - begin > START_LIMIT:
                self.stop()
                raise RuntimeError(f"The city did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)
        return time.perf_counter() - begin

    def whole_environment(self) -> dict[str, str]:
        """The environment of its processes, and of commands for it."""
        own = {"CHENGSHU_HOME": str(self.home), "CHENGSHU_DEMO_PASSWORD": PASSWORD, "CHENGSHU_LOG": "json"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CHENGSHU_", "DJANGO_"))}
        return inherited | own | dict(self.environment)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """End the city in order; by force what does not end."""
        if self.process is None:
            return
        family = [] if self.process.poll() is not None else psutil.Process(self.process.pid).children(recursive=True)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for left in psutil.wait_procs(family, timeout=5)[1]:
            left.kill()
        self.process = None

    def __enter__(self) -> City:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def parts(self) -> dict[str, list[psutil.Process]]:
        """The living processes by part of the city."""
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        found: dict[str, list[psutil.Process]] = {part: [] for part in PARTS}
        found["supervisor"].append(root)
        for child in root.children(recursive=True):
            if part := _part(child):
                found[part].append(child)
        return found

    def processor_seconds(self) -> dict[str, float]:
        """Seconds of processor that each part has used since it began, its ended children counted in."""
        return {part: sum(map(_used, processes)) for part, processes in self.parts().items()}

    def memory(self) -> dict[str, int]:
        """Bytes of each part that are its own: pages shared between processes are divided among them (PSS)."""
        return {part: sum(map(_own_bytes, processes)) for part, processes in self.parts().items()}

    @property
    def database_url(self) -> str:
        """Where the database of the running city is."""
        url = running_url(Home(folder=self.home))
        assert url is not None, "the database does not run"
        return url

    def sql(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Ask the city's database past the platform, to see what is really there."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    def token(self, username: str, role: str) -> str:
        """A new API token of a demo account in one of its roles."""
        word = f"cs_{secrets.token_urlsafe(32)}"
        made = self.sql(
            "INSERT INTO parties_token (post_id, digest, name, created_at)"
            " SELECT p.id, %s, 'from outside', %s FROM parties_post p JOIN parties_account a ON a.id = p.account_id"
            " WHERE a.username = %s AND p.role = %s LIMIT 1 RETURNING id",
            (hashlib.sha256(word.encode()).hexdigest(), datetime.now(UTC), username, role),
        )
        assert made, f"no post {role} of {username}"
        return word

    def client(self, token: str = "", headers: dict[str, str] | None = None) -> Client:
        """One keep-alive connection to the web server."""
        return Client(self.port, token, headers)

    def live(self, username: str, number: str = "") -> str:
        """The address of the events of a demo account, as its pages carry it; with the page of a case if one is named."""
        request = urllib.request.Request(f"{self.url}/account", headers=self.session(username))
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = re.search(r'<meta name="live" content="([^"]+)"', answer.read().decode())
        assert found, f"the pages of {username} are not live"
        return html.unescape(found[1]) + (f"&case={number}" if number else "")

    def session(self, username: str) -> dict[str, str]:
        """The header of a browser in which this demo account has signed in."""
        jar = CookieJar()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        browser.open(f"{self.url}/login", timeout=30).close()
        cookies = {cookie.name: cookie.value for cookie in jar}
        form = {
            "username": username,
            "password": PASSWORD,
            "csrfmiddlewaretoken": cookies.get("csrftoken"),
            "next": "/account",
        }
        browser.open(f"{self.url}/login", urllib.parse.urlencode(form).encode(), timeout=30).close()
        found = {cookie.name: cookie.value for cookie in jar}
        assert "sessionid" in found, f"{username} was not signed in"
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in found.items()), "Accept": "text/html"}


def _part(process: psutil.Process) -> str | None:
    try:
        words = process.cmdline()
    except psutil.Error:
        return None
    line = " ".join(words)
    if "granian" in line:
        return "live" if "chengshu.live" in line else "web"
    if "postgres" in line:
        return "database"
    return "worker" if words[-1:] == ["worker"] else None


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _own_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0
