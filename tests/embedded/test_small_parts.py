"""The parts of the ground that need no server."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
from pathlib import Path

import pytest

from chengshu.core.errors import CannotStart
from chengshu.embedded import ports, tuning
from chengshu.embedded.diagnosis import diagnose
from chengshu.embedded.external import without_password
from chengshu.embedded.home import Home, Lock
from chengshu.embedded.output import Output, dress
from chengshu.embedded.words import language

GIB = 1024**3


@pytest.mark.parametrize(("memory", "buffers"), [(GIB // 4, "64MB"), (3 * GIB, "384MB"), (64 * GIB, "512MB")])
def test_buffers_are_an_eighth_within_limits(memory: int, buffers: str) -> None:
    values = tuning.settings(memory, socket_folder=Path("/s"))
    assert values["shared_buffers"] == buffers
    assert values["synchronous_commit"] == "on"
    assert "fsync" not in values


def test_memory_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(tuning, "CGROUP_LIMIT", limit)
    physical = tuning.memory_bytes()
    limit.write_text("max\n")
    assert tuning.memory_bytes() == physical
    limit.write_text(f"{GIB // 2}\n")
    assert tuning.memory_bytes() == GIB // 2


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ('FATAL:  could not write lock file "postmaster.pid": No space left on device', "disk is full"),
        ("PANIC:  could not locate a valid checkpoint record", "damaged"),
        ("LOG:  starting\nFATAL:  something new\nLOG:  bye", "FATAL:  something new"),
        ("", "did not start"),
    ],
)
def test_log_becomes_a_sentence_with_a_remedy(said: str, means: str) -> None:
    error = diagnose(said, Path("/x/server.log"))
    assert means in error.what
    assert error.where == "/x/server.log"
    assert error.remedy


def test_secret_is_made_once_and_private(tmp_path: Path) -> None:
    home = Home(folder=tmp_path / "home")
    home.prepare()
    key = home.secret_key()
    assert len(key) > 40
    assert home.secret_key() == key
    assert (home.folder / "secret_key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in home.folder.iterdir()) == ["secret_key"]


def test_one_holder_of_a_lock(tmp_path: Path) -> None:
    home = Home(folder=tmp_path)
    with Lock(home), pytest.raises(CannotStart, match=str(os.getpid())):
        Lock(home).acquire()
    with Lock(home):
        pass


def test_home_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHENGSHU_HOME", raising=False)
    assert Home.of_environment().folder == tmp_path / ".chengshu"
    monkeypatch.setenv("CHENGSHU_HOME", "there")
    assert Home.of_environment().folder == tmp_path / "there"


def test_free_port() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ports.check_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_taken_port(host: str) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        with pytest.raises(CannotStart, match="is taken"):
            ports.check_port(host, other.getsockname()[1])


def test_address_of_another_machine() -> None:
    with pytest.raises(CannotStart, match="no server can listen there"):
        ports.check_port("192.0.2.1", 8000)


@pytest.mark.parametrize(
    ("host", "url"), [("0.0.0.0", "http://127.0.0.1:80/"), ("::", "http://[::1]:80/"), ("a.cn", "http://a.cn:80/")]
)
def test_address_for_a_browser(host: str, url: str) -> None:
    assert ports.address(host, 80) == url


@pytest.mark.parametrize(
    ("answer", "found"),
    [("301 Moved\r\nLocation: https://nowhere.invalid/", 301), ("200 OK", 200), ("503 Busy", 503)],
)
def test_status_is_that_of_the_server_itself(answer: str, found: int) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def reply() -> None:
            with server.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

        thread = threading.Thread(target=reply)
        thread.start()
        assert ports.status(f"http://127.0.0.1:{server.getsockname()[1]}/") == found
        thread.join()


def test_nobody_answers() -> None:
    assert ports.wait_for("http://127.0.0.1:1/", limit=0.2) is False


def test_lines_of_programs_are_told_apart() -> None:
    assert dress("web", "hello", "pretty").endswith(" hello")
    assert json.loads(dress("web", "hello", "json"))["message"] == "hello"
    assert json.loads(dress("web", '{"action": "a.b", "n": 1}', "json")) == {"program": "web", "action": "a.b", "n": 1}
    assert json.loads(dress("web", "{broken", "json"))["message"] == "{broken"


def test_last_lines_are_kept() -> None:
    stream = io.StringIO()
    output = Output("pretty", stream)
    output.follow("web", io.BytesIO(b"one\n\n\xfftwo\n")).join(5)
    assert output.last_lines("web") == ["one", "�two"]
    assert len(stream.getvalue().splitlines()) == 2


def test_password_is_not_shown() -> None:
    assert without_password("postgresql://a:b@h/d") == "postgresql://a:•••@h/d"
    assert without_password("postgresql://h/d") == "postgresql://h/d"


@pytest.mark.parametrize(("value", "name"), [("zh_CN.UTF-8", "zh_Hans"), ("en_US.UTF-8", "en"), ("C", "en")])
def test_language_of_the_terminal(value: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHENGSHU_LANGUAGE", raising=False)
    monkeypatch.setenv("LC_ALL", value)
    assert language() == name
