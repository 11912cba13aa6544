"""One row that cannot be worked off does not hold up the others."""

from __future__ import annotations

from datetime import UTC, datetime

from chengshu.cases import outbox
from chengshu.cases.check import waiting
from chengshu.cases.models import Outbox
from chengshu.parties.models import Notice
from tests.cases.people import Cast


def test_a_row_that_fails_is_set_aside_and_told_of(cast: Cast) -> None:
    story = cast.case("dispatched")
    broken = Outbox.objects.create(topic="clock", case=story.id, facts={"no": "event"}, at=datetime.now(UTC))
    outbox.drain()
    assert Notice.objects.filter(case=story.id, kind="dispatch").exists()
    [left] = Outbox.objects.all()
    assert (left.pk, left.topic, left.facts["topic"], left.facts["no"]) == (broken.pk, outbox.FAILED, "clock", "event")
    assert "KeyError" in left.facts["error"]
    assert outbox.drain() == 0
    assert waiting(datetime.now(UTC)).failed == 1
