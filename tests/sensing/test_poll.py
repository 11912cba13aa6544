"""Feeds: fetched when due, exactly once, never from inside unless it is allowed, later and later after failures."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.utils import translation
from typer.testing import CliRunner

from chengshu.core.errors import ChengshuError, Conflict, Invalid, Mistakes, NotAllowed, NotFound
from chengshu.parties.principal import Principal
from chengshu.places.models import City
from chengshu.sensing import feeds_cli
from chengshu.sensing.models import Datastream, Delivery, Feed, FeedChange, ObservedProperty, Quarantined, Sensor, Thing
from chengshu.sensing.sources import drop, feeds, http, mapping, poll, receive, schedule, secrets, sql
from chengshu.sensing.sources.feeds import Draft
from tests.sensing.conftest import Stream
from tests.sensing.test_accept import stored
from tests.sensing.test_sources import LOSLOOP, PAYLOADS, SHARED
from tests.sensing.test_sources import mapping as mapped

Who = Callable[[str], Principal]
MAPPING: dict[str, Any] = {
    "format": "json",
    "rows": "rows",
    "time": {"column": "at"},
    "results": [{"key": "{id}", "value": "v", "unit": "Cel"}],
    "ensure": {"thing": "thing-{id}", "name": "测点 {id}", "type": "thermometer"},
}


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Sentences are compared in English."""
    with translation.override("en"):
        yield


class Answers:
    """A real HTTP server on this machine: what it answers at which path, and what it was asked."""

    def __init__(self) -> None:
        self.by_path: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.slow: float = 0.0

    def put(self, path: str, content: Any, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.by_path[path] = status, {name.replace("_", "-"): value for name, value in headers.items()}, body

    @property
    def paths(self) -> list[str]:
        return [path for path, _headers in self.asked]


@pytest.fixture
def site(settings: Any) -> Iterator[tuple[str, Answers]]:
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.asked.append((self.path, dict(self.headers)))
            status, headers, body = answers.by_path.get(self.path, (404, {}, b""))
            if headers.get("ETag") and headers["ETag"] == self.headers.get("If-None-Match"):
                status, body = 304, b""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.FEED_NETWORKS = ("127.0.0.0/8",)
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    server.server_close()


def rows(*found: tuple[str, str, float], **more: Any) -> dict[str, Any]:
    return {"rows": [{"id": key, "at": at, "v": value} for key, at, value in found], **more}


def made(who: Who, address: str = "", **more: Any) -> Feed:
    """A feed that is on."""
    given: dict[str, Any] = {"name": "weather", "label": "气象", "kind": "http", "address": address, "mapping": MAPPING}
    feeds.save(who("steward"), Draft(**{**given, **more}), why="接入")
    return feeds.switch(who("steward"), more.get("name", "weather"), on=True)


def look(name: str = "weather") -> poll.Ran:
    return poll.run(poll.take_one(Feed.objects.get(name=name).pk))


@pytest.mark.django_db
def test_an_address_is_fetched_and_what_it_names_is_made(who: Who, site: tuple[str, Answers]) -> None:
    base, answers = site
    answers.put("/now", rows(("T1", "2026-11-20T08:00:00", 21.5), ("T2", "2026-11-20T08:00:00+08:00", 20)), ETag='"1"')
    feed = made(who, f"{base}/now")
    assert poll.tick(datetime.now(UTC)) == 1
    assert [(at, value) for _, at, value in stored()] == [
        (datetime(2026, 11, 20, tzinfo=UTC), value) for value in (21.5, 20)
    ]
    assert set(Thing.objects.filter(type="thermometer").values_list("key", flat=True)) == {"thing-T1", "thing-T2"}
    feed.refresh_from_db()
    assert (feed.state, feed.failures, feed.lease, feed.cursor) == ("on", 0, None, {"etag": '"1"'})
    assert Delivery.objects.get(door="poll:weather").rows == 2
    assert poll.tick(datetime.now(UTC)) == 0  # not due
    assert look().rows == 0 and answers.asked[-1][1]["If-None-Match"] == '"1"'
    assert len(stored()) == 2 and Sensor.objects.filter(name="unknown sensor").count() == 1


@pytest.mark.django_db
def test_pages_are_followed_and_the_cursor_moves_at_the_end(who: Who, site: tuple[str, Answers]) -> None:
    base, answers = site
    answers.put("/d?since=", rows(("T1", "2026-11-20T10:00:00", 3), next="/d?p=2"))
    answers.put("/d?p=2", rows(("T1", "2026-11-20T08:00:00", 1)))
    made(who, base + "/d?since={cursor}", mapping={**MAPPING, "cursor": "at", "next": "next"})
    assert look().pages == 2
    feed = Feed.objects.get()
    assert feed.cursor == {"value": "2026-11-20T10:00:00"}
    answers.put("/d?since=2026-11-20T10%3A00%3A00", rows())
    assert look().error == "" and Feed.objects.get().cursor == {"value": "2026-11-20T10:00:00"}


@pytest.mark.django_db
def test_killed_between_pages_or_before_the_commit_nothing_is_lost_or_doubled(
    who: Who, site: tuple[str, Answers], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, answers = site
    answers.put("/d?since=", rows(("T1", "2026-11-20T08:00:00", 1), next="/d?p=2"))
    answers.put("/d?p=2", rows(("T1", "2026-11-20T09:00:00", 2)))
    made(who, base + "/d?since={cursor}", mapping={**MAPPING, "cursor": "at", "next": "next"})
    real, calls = poll.receive, iter([True, False, True])

    def dies(*args: Any, **more: Any) -> Any:
        if next(calls):
            return real(*args, **more)
        raise KeyboardInterrupt  # as a kill: nothing of ours catches it

    monkeypatch.setattr(poll, "receive", dies)
    with pytest.raises(KeyboardInterrupt):
        look()
    assert Feed.objects.get().cursor["next"] == f"{base}/d?p=2" and len(stored()) == 1
    later = datetime.now(UTC) + timedelta(minutes=6)  # when the dead process' lease has ended
    monkeypatch.setattr(poll, "receive", real)
    taken = poll.take(later)
    assert taken is not None and poll.run(taken).rows == 1
    assert [value for _, _, value in stored()] == [1, 2] and Feed.objects.get().cursor == {
        "value": "2026-11-20T09:00:00"
    }


@pytest.mark.django_db
def test_what_breaks_inside_the_transaction_takes_the_cursor_back_too(
    who: Who, site: tuple[str, Answers], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, answers = site
    answers.put("/d", rows(("T1", "2026-11-20T08:00:00", 1)))
    made(who, f"{base}/d", mapping={**MAPPING, "cursor": "at"})
    real = receive.accept

    def breaks(*args: Any, **more: Any) -> Any:
        real(*args, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(receive, "accept", breaks)
    with pytest.raises(KeyboardInterrupt):
        look()
    assert stored() == [] and Feed.objects.get().cursor == {} and not Delivery.objects.exists()


@pytest.mark.django_db
def test_one_process_at_a_feed_and_a_stale_one_writes_nothing(who: Who, site: tuple[str, Answers]) -> None:
    base, answers = site
    answers.put("/d", rows(("T1", "2026-11-20T08:00:00", 1)))
    feed = made(who, f"{base}/d")
    stale = poll.take_one(feed.pk)
    with pytest.raises(Conflict):
        poll.take_one(feed.pk)
    assert poll.take(datetime.now(UTC)) is None
    Feed.objects.update(lease=uuid4())  # the lease ended, and another took it
    assert "Somebody else" in poll.run(stale).error
    assert stored() == []


@pytest.mark.django_db
def test_what_no_database_can_hold_stops_nobody(who: Who, site: tuple[str, Answers]) -> None:
    base, answers = site
    answers.put(
        "/d",
        b'{"rows": [{"id": "T\\u0000", "at": "2026-11-20T08:00:00", "v": 1}, {"id": "T1", "at": "\\u0000", "v": 1}, "\\u0000"]}',
    )
    made(who, f"{base}/d")
    assert (poll.tick(datetime.now(UTC)), len(stored()), Quarantined.objects.count()) == (1, 1, 2)
    assert Feed.objects.get().state == "on"


@pytest.mark.django_db
def test_failures_are_noted_and_tried_later_and_later(who: Who, site: tuple[str, Answers]) -> None:
    base, answers = site
    answers.put("/d", b"", status=500)
    made(who, f"{base}/d")
    for failures in (1, 2, 3):
        assert "500" in look().error
        feed = Feed.objects.get()
        assert (feed.state, feed.failures) == ("failing", failures) and "500" in feed.error
        Feed.objects.update(next_at=datetime.now(UTC))
    answers.put("/d", rows(("T1", "2026-11-20T08:00:00", 1)))
    assert look().rows == 1
    feed = Feed.objects.get()
    assert (feed.state, feed.failures, feed.error) == ("on", 0, "")
    pauses = [schedule.pause(n).total_seconds() for n in (1, 2, 3, 9, 500)]
    assert all(
        0.8 * right <= found <= 1.2 * right for found, right in zip(pauses, (60, 120, 240, 3600, 3600), strict=True)
    )
    assert schedule.pause(1, 500).total_seconds() == 500


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://localhost/", "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/",
     "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://2130706433/", "http://192.168.1.1/"],
)  # fmt: skip
def test_addresses_inside_are_refused(url: str, settings: Any) -> None:
    settings.FEED_NETWORKS = ()
    with pytest.raises((NotAllowed, http.Unreachable)) as caught:
        http.fetch(url, headers={}, secret={})
    assert isinstance(caught.value, NotAllowed) or "host" in caught.value.what


@pytest.mark.django_db
def test_a_redirect_is_judged_anew_and_the_secret_stays_at_home(site: tuple[str, Answers], settings: Any) -> None:
    base, answers = site
    answers.put("/in", b"", status=302, Location="http://10.9.8.7/secret")
    with pytest.raises(NotAllowed):
        http.fetch(f"{base}/in", headers={}, secret={})
    there = base.replace("127.0.0.1", "127.0.0.2")
    answers.put("/out", b"", status=302, Location=f"{base.replace('127.0.0.1', 'localhost')}/end")
    answers.put("/end", b"ok")
    got = http.fetch(f"{base}/out", headers={}, secret={"Authorization": "Bearer x"})
    assert got.content == b"ok" and there
    assert [headers.get("Authorization") for _path, headers in answers.asked[-2:]] == ["Bearer x", None]
    answers.put("/round", b"", status=302, Location="/round")
    with pytest.raises(http.Unreachable):
        http.fetch(f"{base}/round", headers={}, secret={})


def test_an_answer_is_bounded(site: tuple[str, Answers]) -> None:
    base, answers = site
    answers.put("/big", b"x" * 2_000_000)
    with pytest.raises(ChengshuError, match="too large"):
        http.fetch(f"{base}/big", headers={}, secret={}, largest=1_000_000)
    for wrong in ("file:///etc/passwd", "ftp://x/", "http://user:pw@x/", "http:///x", "http://x\r\nHost: y/", "x"):
        with pytest.raises(Invalid):
            http.checked(wrong)


@pytest.mark.django_db
def test_a_secret_is_sent_and_never_shown(who: Who, site: tuple[str, Answers], monkeypatch: pytest.MonkeyPatch) -> None:
    base, answers = site
    answers.put("/d", rows())
    feed = made(who, f"{base}/d", secret="Bearer old-s3cr3t")
    assert b"s3cr3t" not in bytes(feed.secret or b"") and "s3cr3t" not in str(list(FeedChange.objects.values()))
    feeds.save(who("steward"), Draft(name="weather", label="气象", kind="http", address=f"{base}/d", mapping=MAPPING,
               secret="Bearer s3cr3t"), why="x", seen_version=1)  # fmt: skip
    look()
    assert answers.asked[-1][1]["Authorization"] == "Bearer s3cr3t"
    with pytest.raises(Invalid):
        secrets.named("CHENGSHU_SECRET_KEY")
    monkeypatch.setenv("CHENGSHU_FEED_WEATHER", "key-1")
    feeds.save(who("steward"), Draft(name="weather", label="气象", kind="http", address=f"{base}/d", mapping=MAPPING,
               secret_name="CHENGSHU_FEED_WEATHER", header="X-API-Key"), why="x", seen_version=2)  # fmt: skip
    look()
    assert answers.asked[-1][1]["X-Api-Key" if "X-Api-Key" in answers.asked[-1][1] else "X-API-Key"] == "key-1"


@pytest.mark.django_db
def test_who_may_and_what_is_remembered(who: Who) -> None:
    draft = Draft(name="a", label="甲", kind="file", mapping=MAPPING)
    for nobody in ("dispatcher", "analyst", "gateway", "citizen", "handler"):
        with pytest.raises(NotAllowed):
            feeds.save(who(nobody), draft, why="x")
    feeds.save(who("admin"), draft, why="试接")
    with pytest.raises(Conflict):
        feeds.save(who("admin"), draft, why="x")
    with pytest.raises(NotFound):
        feeds.switch(who("steward"), "b", on=True)
    feeds.save(who("steward"), Draft(name="a", label="乙", kind="file", mapping=MAPPING), why="改名", seen_version=1)
    with pytest.raises(Conflict):
        feeds.save(who("admin"), draft, why="x", seen_version=1)
    found = FeedChange.objects.order_by("pk").values_list("act", "account__username", "why", "after__label")
    assert list(found) == [("made", "admin", "试接", "甲"), ("changed", "steward", "改名", "乙")]
    for wrong in (
        {"schedule": "1"}, {"schedule": "25:00"}, {"name": "../x"}, {"kind": "ftp"}, {"label": " "}, {"owner": "nobody"},
        {"kind": "http", "address": "x"}, {"kind": "sql", "address": "postgresql://x/y"}, {"header": "Host"},
    ):  # fmt: skip
        with pytest.raises((Invalid, Mistakes, ChengshuError)):
            feeds.save(
                who("admin"),
                Draft(**{**{"name": "z", "label": "丙", "kind": "file", "mapping": MAPPING}, **wrong}),
                why="",
            )
    assert not Feed.objects.filter(name="z").exists()


@pytest.mark.django_db
def test_a_feed_of_a_department_writes_its_own_things_only(who: Who, site: tuple[str, Answers], stream: Stream) -> None:
    base, answers = site
    other = stream("T9", low=None, high=None)
    answers.put("/d", rows(("T9", "2026-11-20T08:00:00", 1), ("T1", "2026-11-20T08:00:00", 2)))
    made(who, f"{base}/d", owner="330106-CGJ")
    assert look().rows == 1
    assert [key for key, _, _ in stored()] != [other.pk]
    assert Thing.objects.get(key="thing-T1").owner is not None
    assert Quarantined.objects.get().reason == "unknown"


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds, time.time() - seconds))


@pytest.mark.django_db
def test_files_are_taken_when_complete_once_and_moved(
    who: Who, settings: Any, tmp_path: Path, hangzhou: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DROP_ROOT = tmp_path
    made(who, kind="file", mapping={**LOSLOOP, "ensure": {"thing": "losloop-{sensor}"}})
    place = tmp_path / "hangzhou" / "weather"
    content = (PAYLOADS / "losloop.csv").read_bytes()
    for name in ("a.csv", ".hidden", "b.csv.part", "c.csv"):
        (place / name).write_bytes(content)
    (place / "bad.csv").write_bytes(b"\x00\x01")
    (place / "link.csv").symlink_to("/etc/passwd")
    assert look().pages == 0  # not yet still for two seconds
    later = time.time() + 3
    monkeypatch.setattr(poll.time, "time", lambda: later)
    ran = look()
    assert "failed/" in ran.error
    assert {path.name for path in (place / "done").iterdir()} == {
        "a.csv", "a.csv.report.json", "c.csv", "c.csv.report.json",
    }  # fmt: skip
    assert {path.name for path in (place / "failed").iterdir()} == {"bad.csv", "bad.csv.report.json"}
    assert {path.name for path in place.iterdir() if path.is_file() or path.is_symlink()} == {
        ".hidden",
        "b.csv.part",
        "link.csv",
    }
    reports = [json.loads((place / "done" / f"{name}.csv.report.json").read_text()) for name in ("a", "c")]
    assert sorted(each["came_before"] for each in reports) == [False, True] and reports[0]["added"] == 160
    assert len(stored()) == 160
    assert stored()[0][2] == pytest.approx(64.375 * 1.609344)  # mph came, km/h is kept
    assert Datastream.objects.filter(ucum="km/h").count() == 8


@pytest.mark.django_db
def test_a_changed_mapping_reads_the_same_file_again(who: Who, hangzhou: City) -> None:
    content = b"id,time,pm25,pm10\nA,2026-11-20 08:00,1,2\n"
    actor = receive.actor_of(made(who, kind="file"))
    ensured = {"ensure": {"thing": "{id}"}}
    one = receive.receive(content, mapped(**ensured), actor=actor, city=hangzhou, door="file:a")
    again = receive.receive(content, mapped(**ensured), actor=actor, city=hangzhou, door="file:a")
    both = mapped(**ensured, results=[{"key": "{id}-pm25", "value": "pm25", "unit": "ug/m3"},
                                      {"key": "{id}-pm10", "value": "pm10", "unit": "ug/m3"}])  # fmt: skip
    more = receive.receive(content, both, actor=actor, city=hangzhou, door="file:a")
    assert (one.receipt.rows, again.receipt.replayed, more.receipt.rows, more.receipt.known) == (1, True, 1, 1)
    assert (one.made, again.made, more.made) == (1, 0, 1) and Thing.objects.filter(key="A").count() == 1


@pytest.mark.django_db
def test_the_real_metro_inflow_comes_in(who: Who, hangzhou: City) -> None:
    root = Path(__file__).parents[2] / "cities" / "hangzhou"
    source = mapping.parse(mapping.read_text((root / "feeds" / "metro.yaml").read_text(encoding="utf-8")))
    content = (root / "data" / "hangzhou_metro_inflow.csv.gz").read_bytes()
    got = receive.receive(
        content, source, actor=receive.actor_of(made(who, kind="file")), city=hangzhou, door="file:metro"
    )
    assert (got.made, got.receipt.rows, got.receipt.refused) == (80, 155_520, 0)
    assert ObservedProperty.objects.filter(name="进站客流").count() == 1


@pytest.mark.django_db
@pytest.mark.skipif(not SHARED.exists(), reason="the whole Los-loop file is not on this machine")
def test_the_real_speeds_of_los_loop_come_in(who: Who, hangzhou: City) -> None:
    source = mapping.parse({**LOSLOOP, "ensure": {"thing": "losloop-{sensor}"}})
    actor = receive.actor_of(made(who, kind="file"))
    got = receive.receive(SHARED.read_bytes(), source, actor=actor, city=hangzhou, door="file:losloop")
    assert (got.made, got.receipt.rows, got.receipt.refused) == (207, 1612 * 207, 0)


@pytest.mark.django_db
def test_commands(who: Who, site: tuple[str, Answers], tmp_path: Path) -> None:
    base, answers = site
    answers.put("/d", rows(("T1", "2026-11-20T08:00:00", 1)))
    made(who, f"{base}/d")
    (tmp_path / "m.json").write_text(json.dumps(MAPPING))
    (tmp_path / "d.json").write_text(json.dumps(rows(("T2", "2026-11-20T08:00:00", 1), ("T3", "never", 1))))
    data = str(tmp_path / "d.json")
    told = [
        CliRunner().invoke(feeds_cli.app, words).output
        for words in (["run", "weather"], ["list"], ["try", str(tmp_path / "m.json"), data], ["take", "weather", data])
    ]
    assert "1 added" in told[0] and "weather" in told[1]
    assert "1 rows right, 1 refused" in told[2] and "1 added" in told[3]
    assert len(stored()) == 2


@pytest.mark.django_db
def test_rows_of_a_database_with_a_cursor(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own database, which has a socket only, stands for a foreign one."""
    settings.FEED_NETWORKS = ("127.0.0.0/8",)
    own = connection.get_connection_params()
    here = {name: own[name] for name in ("host", "port", "user", "password", "dbname") if own.get(name)}
    real = psycopg.connect

    def connect(**asked: Any) -> Any:
        assert asked["hostaddr"] == "127.0.0.1"
        kept = {
            name: value for name, value in asked.items() if name not in {"host", "hostaddr", "port", "password", "user"}
        }
        return real(**{**kept, **here})

    monkeypatch.setattr(psycopg, "connect", connect)
    theirs = real(**here, autocommit=True)  # what it says must be there for others
    with theirs.cursor() as cursor:
        cursor.execute("CREATE TABLE foreign_readings (n bigint, at timestamptz, v numeric(8,3))")
        cursor.execute("INSERT INTO foreign_readings SELECT n, now(), n * 1.5 FROM generate_series(1, 5) n")
    address = f"postgresql://u@127.0.0.1:5432/{own['dbname']}"
    try:
        query = "SELECT * FROM foreign_readings WHERE n > coalesce(%(cursor)s, '0')::bigint"
        content, more = sql.rows(address, query, cursor="3", by="n", secret="")
        assert [json.loads(line)["v"] for line in content.splitlines()] == ["6.000", "7.500"] and not more
        monkeypatch.setattr(sql, "MOST", 2)
        content, more = sql.rows(address, query, cursor=None, by="n", secret="")
        assert [json.loads(line)["n"] for line in content.splitlines()] == [1, 2] and more
        for wrong in (
            "SELECT 1) AS feed; DROP TABLE foreign_readings; SELECT * FROM (SELECT 1", "SELECT pg_sleep(",
            "DELETE FROM foreign_readings RETURNING 1", "WITH d AS (DELETE FROM foreign_readings RETURNING 1) SELECT * FROM d",
            "SELECT nextval('sensing_serial')",
            "SELECT set_config('transaction_read_only', 'off', false), nextval('sensing_serial')",
            "SELECT '%s'", "SELECT %(other)s",
        ):  # fmt: skip
            with pytest.raises(Invalid):
                sql.rows(address, wrong, cursor=None, by=None, secret="")
        with theirs.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM foreign_readings")
            assert cursor.fetchone() == (5,)
        settings.FEED_NETWORKS = ()
        with pytest.raises(NotAllowed):
            sql.rows(address, query, cursor=None, by=None, secret="")
    finally:
        theirs.execute("DROP TABLE foreign_readings")
        theirs.close()


@pytest.mark.django_db
def test_a_feed_of_a_database_goes_on_behind_what_it_has(who: Who, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def rows_of(*_args: Any, cursor: str | None, **_more: Any) -> tuple[bytes, bool]:
        asked.append(cursor)
        first = (
            b'{"n": 9, "at": "2026-11-20T08:00:00Z", "v": "1.50"}\n{"n": 10, "at": "2026-11-20T08:05:00Z", "v": "2"}\n'
        )
        return (first, True) if cursor is None else (b"", False)

    monkeypatch.setattr(sql, "rows", rows_of)
    source = {**MAPPING, "format": "sql", "rows": "", "cursor": "n", "results": [{"key": "db-1", "value": "v"}],
              "ensure": {"thing": "db"}}  # fmt: skip
    monkeypatch.setattr(sql, "connected_by", lambda _address: {})
    made(who, "postgresql://u@h/d", kind="sql", query="SELECT 1", mapping=source)
    assert poll.tick(datetime.now(UTC) + timedelta(seconds=1)) == 2  # there was more, so it was due again at once
    assert asked == [None, "10"] and [value for _, _, value in stored()] == [1.5, 2]


@pytest.mark.parametrize(
    ("address", "word"),
    [("mysql://u@h/d", "pymysql"), ("postgresql://u:p@h/d", "password"), ("postgresql:///d", "address"),
     ("postgresql://u@h/d?host=/tmp", "sslmode"), ("postgresql://u@h/d?sslmode=x", "sslmode"), ("postgresql://a,b/d", "address")],
)  # fmt: skip
def test_addresses_of_databases_that_are_refused(address: str, word: str) -> None:
    with pytest.raises(ChengshuError, match=word):
        sql.connected_by(address)


def test_times_of_day_are_those_of_the_city() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)  # 20:00 in Shanghai
    assert schedule.checked("18:30, 6:00") == "06:00 18:30"
    assert schedule.after("06:00 18:30", now, "Asia/Shanghai") == datetime(2026, 11, 22, 22, tzinfo=UTC)
    assert schedule.after("300", now, "Asia/Shanghai") == now + timedelta(minutes=5)


def test_the_folder_of_a_feed_is_its_citys(settings: Any, tmp_path: Path) -> None:
    settings.DROP_ROOT = tmp_path
    assert drop.folder(Feed(city=City(name="hangzhou"), name="a")) == tmp_path / "hangzhou" / "a"
