"""A real Spark for the tests: a master, a worker and a Connect server, each a process of its own on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

PATIENCE = 120.0  # seconds, of which an idle machine needs 15
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


def missing() -> str:
    """What Spark lacks here; empty when it can run."""
    if find_spec("pyspark") is None:
        return "pyspark is not installed"
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    return "" if java and Path(java).exists() else "there is no Java: put Java 17 on PATH, or set JAVA_HOME"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    raise AssertionError(f"Spark does not answer:\n{log.read_text()[-3000:]}")


@contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its own group, all of which ends with the block."""
    environment = os.environ | {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "640m",
        "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    environment.pop("SPARK_HOME", None)
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, stdout=out, stderr=out, env=environment, start_new_session=True, cwd=log.parent
        ) as made,
    ):
        try:
            yield made
        finally:
            with suppress(ProcessLookupError):
                os.killpg(made.pid, signal.SIGTERM)
            try:
                made.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(made.pid, signal.SIGKILL)


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The address of its Connect server. Logs and work stand in `folder`."""
    spec = find_spec("pyspark")
    assert spec and spec.origin
    bin_ = Path(spec.origin).parent / "bin"
    master, connect = _free_port(), _free_port()
    deploy, at = "org.apache.spark.deploy", f"spark://127.0.0.1:{master}"
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": connect,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "640m",
        "spark.executor.memory": "640m",
        "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.warehouse.dir": folder / "warehouse",
    }
    options = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    local = ["--host", "127.0.0.1", "--webui-port", 0]
    commands = [
        [bin_ / "spark-class", f"{deploy}.master.Master", *local, "--port", master],
        [bin_ / "spark-class", f"{deploy}.worker.Worker", *local, "-c", 2, "-m", "1g", "-d", folder / "work", at],
        [bin_ / "spark-submit", "--master", at, "--class", SERVER, *options, "spark-internal"],
    ]
    with ExitStack() as stack:
        for number, command in enumerate(commands):
            log = folder / f"spark-{number}.log"
            process = stack.enter_context(_process([str(part) for part in command], log))
        _wait(connect, process, log)
        yield f"sc://127.0.0.1:{connect}"
