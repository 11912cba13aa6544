"""Data arrays and batches: many things in one request, each answered in its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from chengshu.core.errors import ChengshuError, NotAllowed
from chengshu.parties.principal import Principal
from chengshu.sensing.models import Datastream, Quarantined, Thing
from chengshu.sensing.sta import batch, write
from chengshu.sensing.sta.batch import Answer, Request
from chengshu.sensing.sta.body import Malformed, mapped
from chengshu.sensing.sta.data_array import create_observations
from tests.sensing.conftest import Stream
from tests.sensing.test_sta_write import location

pytestmark = pytest.mark.django_db
Who = Callable[[str], Principal]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def count() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sensing_observation")
        return int(cursor.fetchone()[0])


def group(stream: Datastream, rows: list[list[Any]], components: list[str] | None = None) -> dict[str, Any]:
    return {
        "Datastream": {"@iot.id": stream.pk},
        "components": components or ["phenomenonTime", "result"],
        "dataArray@iot.count": len(rows),
        "dataArray": rows,
    }


def send(who: Principal, *groups: dict[str, Any]) -> list[int | None]:
    return create_observations(who, json.dumps(groups).encode(), at=NOW)


def times(n: int, day: int = 19) -> list[str]:
    return [f"2026-11-{day}T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}Z" for i in range(n)]


def test_each_row_is_answered_in_its_place(who: Who, stream: Stream) -> None:
    one, two = stream(), stream()
    bad = [
        ["2026-11-19T01:00:00Z", 99],
        ["2026-11-19T02:00:00Z", "warm"],
        ["soon", 3],
        [1],
        ["2026-11-19T03:00:00Z", 4],
    ]
    ids = send(
        who("gateway"), group(one, [["2026-11-19T01:00:00+08:00", 1], ["2026-11-19T02:00:00Z", 2.5]]), group(two, bad)
    )
    assert [each is not None for each in ids] == [True, True, False, False, False, False, True]
    assert count() == 3
    two.pk = 999_999
    assert send(who("gateway"), group(two, [["2026-11-19T01:00:00Z", 1]])) == [None]
    Quarantined.objects.filter(reason="unknown").delete()
    assert dict(Quarantined.objects.values_list("line", "reason")) == {3: "range", 4: "type", 5: "form", 6: "form"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT result FROM sensing_observation WHERE id = %s", [ids[1]])
        assert cursor.fetchone() == (2.5,)


def test_the_same_content_again_gives_the_same_ids(who: Who, stream: Stream) -> None:
    one = stream()
    rows = [[time, i % 50] for i, time in enumerate(times(100))] + [
        ["2026-11-19T00:00:00Z", 7],
        ["2026-11-19T00:00:01Z", 1],
    ]
    first = send(who("gateway"), group(one, rows))
    assert first[-2] is None and first[-1] == first[1]  # contradicts an earlier row; says the same as one
    assert send(who("gateway"), group(one, rows)) == first
    assert send(who("gateway"), group(one, rows[:3])) == first[:3]
    assert count() == 100


def test_features_and_other_members(who: Who, stream: Stream) -> None:
    one = stream()
    feature = {
        "name": "air",
        "description": "",
        "encodingType": "application/geo+json",
        "feature": location()["location"],
    }
    made = write.create(who("gateway"), "FeaturesOfInterest", feature).id
    names = ["result", "phenomenonTime", "resultTime", "parameters", "FeatureOfInterest/id"]
    rows = [
        [1, "2026-11-19T00:00:00Z/2026-11-19T01:00:00Z", "2026-11-19T02:00:00Z", {"a": 1}, made],
        [2, "2026-11-19T01:00:00Z", None, None, 999_999],
    ]
    ids = send(who("gateway"), group(one, rows, names))
    assert ids[0] is not None and ids[1] is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT feature, parameters::text, until IS NOT NULL FROM sensing_observation")
        assert cursor.fetchall() == [(made, '{"a": 1}', True)]


def test_a_body_that_is_no_data_array_is_refused(who: Who, stream: Stream) -> None:
    one = stream()
    good = group(one, [["2026-11-19T00:00:00Z", 1]])
    for wrong in (
        {**good, "components": ["phenomenonTime", "reslt"]},
        {**good, "components": ["phenomenonTime"]},
        {**good, "dataArray@iot.count": 7},
        {**good, "Datastream": {"@iot.id": "x"}},
        {**good, "dataArray": [7]},
        7,
    ):
        with pytest.raises(Malformed):
            create_observations(who("gateway"), json.dumps([wrong]).encode())
    for content in (b"", b"{}", b"[" * 10_000, b"[{]"):
        with pytest.raises(Malformed):
            create_observations(who("gateway"), content)
    with pytest.raises(NotAllowed):
        create_observations(who("dispatcher"), json.dumps([good]).encode())
    assert count() == 0


# Batches


def handler(principal: Principal) -> batch.Handle:
    """Creates and deletes Things, and reads nothing: what the view does with one request, in small."""

    def handle(request: Request) -> Answer:
        path = request.path.strip("/").split("/")
        try:
            if request.method == "GET":
                return Answer(status=200, headers={"Content-Type": "application/json"}, body=b'{"value": []}')
            if request.method == "DELETE":
                write.delete(principal, "Things", int(path[0][7:-1]))
                return Answer(status=200)
            parent = ("Things", int(path[0][7:-1])) if len(path) == 2 else None
            made = write.create(principal, path[-1], mapped(request.body), parent=parent)
        except ChengshuError as error:
            return Answer(status=error.status, headers={"Content-Type": "application/json"}, body=b'{"message": "no"}')
        link = f"http://localhost/sta/v1.1/{made.kind}({made.id})"
        return Answer(status=201, headers={"Location": link, "Content-Type": "application/json"}, body=b'{"made": 1}')

    return handle


THING = {"name": "a", "description": "b"}


def as_json(principal: Principal, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    kind, body = batch.run(
        "application/json", json.dumps({"requests": requests}).encode(), handler(principal), root="/sta/v1.1"
    )
    assert kind == "application/json"
    return json.loads(body)["responses"]  # type: ignore[no-any-return]


def test_a_json_batch_names_what_it_made(who: Who) -> None:
    got = as_json(
        who("gateway"),
        {"id": "t", "method": "post", "url": "Things", "body": THING, "atomicityGroup": "g"},
        {"id": "l", "method": "post", "url": "/sta/v1.1/Locations", "atomicityGroup": "g",
         "body": location(Things=[{"@iot.id": "$t"}])},
        {"id": "m", "method": "post", "url": "$t/Locations", "body": location("farm")},
        {"id": "r", "method": "get", "url": "http://localhost/sta/v1.1/Things?$top=1"},
        {"id": "x", "method": "post", "url": "Things", "body": {}},
        {"id": "y", "method": "delete", "url": "$x"},
        {"id": "z", "method": "delete", "url": "$t"},
    )  # fmt: skip
    assert [(each["id"], each["status"]) for each in got] == [
        ("t", 201), ("l", 201), ("m", 201), ("r", 200), ("x", 400), ("y", 424), ("z", 200),
    ]  # fmt: skip
    assert got[3]["body"] == {"value": []} and got[0]["location"].endswith(")")
    assert not Thing.objects.exists()


def test_a_group_is_done_all_or_not_at_all(who: Who) -> None:
    got = as_json(
        who("gateway"),
        {"id": "1", "method": "post", "url": "Things", "body": THING, "atomicityGroup": "g"},
        {"id": "2", "method": "post", "url": "Things", "body": {}, "atomicityGroup": "g"},
        {"id": "3", "method": "post", "url": "Things", "body": THING, "atomicityGroup": "g"},
        {"id": "4", "method": "post", "url": "Things", "body": THING, "dependsOn": ["g"]},
        {"id": "5", "method": "post", "url": "Things", "body": THING},
    )
    assert [each["status"] for each in got] == [424, 400, 424, 424, 201]
    assert Thing.objects.count() == 1


MULTIPART = """--b\r
Content-Type: multipart/mixed; boundary=c\r
\r
--c\r
Content-Type: application/http\r
Content-Transfer-Encoding: binary\r
Content-ID: 1\r
\r
POST /sta/v1.1/Things HTTP/1.1\r
Content-Type: application/json\r
\r
{"name": "杭州", "description": "b"}\r
--c\r
Content-Type: application/http\r
Content-ID: 2\r
\r
POST $1/Locations HTTP/1.1\r
Content-Type: application/json\r
\r
%s\r
--c--\r
--b\r
Content-Type: application/http\r
\r
GET Things?$top=1 HTTP/1.1\r
Host: localhost\r
\r
\r
--b--\r
"""


def multipart(principal: Principal, text: str) -> str:
    kind, body = batch.run("multipart/mixed; boundary=b", text.encode(), handler(principal), root="/sta/v1.1")
    assert kind.startswith("multipart/mixed; boundary=batch_") and body.endswith(
        f"--{kind.split('=')[1]}--\r\n".encode()
    )
    return body.decode()


def test_a_change_set_is_atomic_and_names_what_it_made(who: Who) -> None:
    found = multipart(who("gateway"), MULTIPART % json.dumps(location()))
    assert [found.count(f"HTTP/1.1 {status}") for status in ("201 Created", "200 OK")] == [2, 1]
    assert "Content-ID: 2" in found
    thing = Thing.objects.get()
    assert (thing.name, thing.locations.count()) == ("杭州", 1)
    found = multipart(who("gateway"), MULTIPART % "{}")
    assert [found.count(f"HTTP/1.1 {status}") for status in ("201 Created", "400 Bad", "200 OK")] == [0, 1, 1]
    assert Thing.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/json", b"{}"),
        ("application/json", b'{"requests": [{"id": "1"}]}'),
        ("application/json", b'{"requests": [{"id": 1, "method": "get", "url": "a"}, {"id": "1", "method": "get", "url": "b"}]}'),
        ("text/plain", b"x"),
        ("multipart/mixed", b"x"),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--"),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: application/http\r\n\r\nhello\r\n--b--"),
    ],
)  # fmt: skip
def test_what_is_no_batch_is_refused(who: Who, kind: str, content: bytes) -> None:
    with pytest.raises(Malformed):
        batch.run(kind, content, handler(who("gateway")), root="/sta/v1.1")


def test_batches_are_bounded_and_hold_no_batches(who: Who) -> None:
    many = [{"id": str(n), "method": "get", "url": "Things"} for n in range(1001)]
    with pytest.raises(ChengshuError) as caught:
        as_json(who("gateway"), *many)
    assert caught.value.status == 413
    got = as_json(
        who("gateway"), {"id": "1", "method": "post", "url": "$batch"}, {"id": "2", "method": "trace", "url": "Things"}
    )
    assert [each["status"] for each in got] == [400, 400]
