"""How long the worker rests: short when there is little, so that pages hear at once; longer when batches would be small."""

from __future__ import annotations

import pytest

from chengshu.cases import worker
from chengshu.cases.models import Outbox
from chengshu.cases.outbox import BATCH, FAILED, drain, waiting
from chengshu.cases.worker import GLANCE, LONGEST_REST, rest
from tests.cases.people import Cast


def after(rate: float, batches: int = 60) -> float:
    """The pause that settles in when so many rows come a second."""
    pause = GLANCE
    for _ in range(batches):
        pause = rest(int(rate * pause))
    return pause


@pytest.mark.parametrize(
    ("rate", "pause"), [(0, GLANCE), (10, GLANCE), (40, GLANCE), (150, LONGEST_REST), (390, LONGEST_REST)]
)
def test_few_rows_are_told_at_once_and_many_in_large_batches(rate: float, pause: float) -> None:
    assert after(rate) == pause


def test_a_whole_batch_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.outbox, "drain", lambda: BATCH)
    assert worker.once() == 0


@pytest.mark.django_db
def test_a_glance_sees_what_a_batch_would_take(cast: Cast) -> None:
    assert not waiting()
    story = cast.case()
    assert waiting()
    drain()
    assert not waiting()
    story.move("operator", "accept")
    Outbox.objects.update(topic=FAILED)
    assert not waiting()
