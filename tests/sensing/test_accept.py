"""What comes in is added once, what is not right stands in quarantine, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection

from chengshu.core.errors import NotAllowed
from chengshu.parties.principal import Principal
from chengshu.sensing import follow
from chengshu.sensing.accept import accept
from chengshu.sensing.decode import ndjson
from chengshu.sensing.models import Delivery, Quarantined, Raw
from chengshu.sensing.records import Receipt
from tests.sensing.conftest import Stream

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Who = Callable[[str], Principal]


def stored() -> list[tuple[int, datetime, float | None]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datastream, at, result FROM sensing_observation ORDER BY datastream, at, nth")
        return list(cursor.fetchall())


def send(who: Who, *lines: str, by: str = "gateway") -> Receipt:
    return accept(ndjson("\n".join(lines).encode()), actor=who(by), at=NOW)


def row(datastream: object, time: str = "2026-11-20T11:00:00Z", result: object = 21.5, **more: object) -> str:
    import json

    return json.dumps({"datastream": datastream, "phenomenonTime": time, "result": result, **more}, ensure_ascii=False)


@pytest.mark.django_db
def test_rows_of_several_days_are_there_when_it_returns(who: Who, stream: Stream) -> None:
    one = stream()
    got = send(
        who, row(one.pk), row(one.pk, "2026-11-19T23:59:59.999999+08:00", 20), row(one.pk, "2026-11-19T01:00:00Z", 19)
    )
    assert (got.rows, got.known, got.refused) == (3, 0, 0)
    assert [result for _, _, result in stored()] == [19.0, 20.0, 21.5]
    one.refresh_from_db()
    assert (one.last_result, one.last_received) == (21.5, NOW)


@pytest.mark.django_db
def test_the_same_content_again_adds_nothing(who: Who, stream: Stream) -> None:
    one = stream()
    first = send(who, row(one.pk))
    again = send(who, row(one.pk))
    assert again.replayed and (again.delivery, again.rows) == (first.delivery, 1)
    assert len(stored()) == Delivery.objects.count() == Raw.objects.count() == 1


@pytest.mark.django_db
def test_the_same_observation_in_other_content_is_known_and_another_one_a_contradiction(
    who: Who, stream: Stream
) -> None:
    one = stream()
    send(who, row(one.pk))
    got = send(
        who,
        row(one.pk),
        row(one.pk, result=22),
        row(one.pk, "2026-11-20T11:05:00Z", 23),
        row(one.pk, "2026-11-20T11:05:00Z", 23),
    )
    assert (got.rows, got.known, got.refused) == (1, 2, 1)
    assert [(p.line, p.reason) for p in got.problems] == [(2, "contradicts")]
    assert [result for _, _, result in stored()] == [21.5, 23.0]


@pytest.mark.django_db
def test_what_is_wrong_stands_in_quarantine_with_its_reason(who: Who, stream: Stream) -> None:
    one = stream("T-1")
    got = send(
        who,
        row("T-1", "2026-11-20T10:00:00Z", 68, unit="[degF]"),
        row("T-2"),
        row(one.pk, result=99),
        row(one.pk, "2026-11-21T11:00:00Z"),
        row(one.pk, "yesterday"),
        row(one.pk, unit="m"),
        row(one.pk, result="warm"),
        "{broken",
    )
    assert (got.rows, got.refused) == (1, 7)
    assert stored()[0][2] == pytest.approx(20.0)
    found = dict(Quarantined.objects.values_list("line", "reason"))
    assert found == {2: "unknown", 3: "range", 4: "time", 5: "time", 6: "unit", 7: "type", 8: "form"}
    assert Quarantined.objects.get(line=3).content == {"line": row(one.pk, result=99)}


@pytest.mark.django_db
def test_who_may_write_and_what(who: Who, stream: Stream) -> None:
    one = stream()
    with pytest.raises(NotAllowed):
        send(who, row(one.pk), by="citizen")
    with pytest.raises(NotAllowed):
        send(who, row(one.pk), by="dispatcher")


@pytest.mark.django_db
def test_what_large_deliveries_say_of_their_datastreams_is_kept_by_the_worker(
    who: Who, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chengshu.sensing.accept.SYNC", 0)
    one, other = stream(), stream()
    send(who, row(one.pk, "2026-11-19T10:00:00Z", 18), row(one.pk), row(other.pk, result=30))
    send(who, row(one.pk, "2026-11-20T10:00:00Z", 19))
    one.refresh_from_db()
    assert one.last_at is None
    assert follow.tick(NOW) == 2
    assert follow.tick(NOW) == 0
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.first_at, one.last_at) == (
        datetime(2026, 11, 19, 10, tzinfo=UTC),
        datetime(2026, 11, 20, 11, tzinfo=UTC),
    )
    assert (one.last_result, other.last_result, one.thing.last_seen) == (21.5, 30.0, NOW)
