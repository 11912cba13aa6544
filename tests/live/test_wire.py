"""What the writers tell the live process fits into a NOTIFY and is understood."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chengshu.live.wire import messages, parsed

LARGEST = 8000  # bytes of a NOTIFY, exclusive


@given(cases=st.lists(st.uuids(), max_size=500), accounts=st.lists(st.integers(1, 2**63 - 1), max_size=700))
def test_everything_arrives_in_messages_that_fit(cases: list[UUID], accounts: list[int]) -> None:
    sent = messages(cases, accounts)
    assert all(len(text.encode()) < LARGEST for text in sent)
    got = [parsed(text) for text in sent]
    assert sorted(case for news in got for case in news.cases) == sorted(set(cases))
    assert sorted(account for news in got for account in news.accounts) == sorted(set(accounts))


def test_nothing_to_tell_is_no_message() -> None:
    assert messages() == []


def test_a_usual_batch_is_one_message() -> None:
    assert len(messages([uuid4() for _ in range(20)], range(50))) == 1


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1, 2]", '[["x"], []]', '[[], ["x"]]', "null", "[[1], []]"])
def test_what_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parsed(text)
