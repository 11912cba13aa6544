"""What could not be taken is mended on a page and sent again, by those whose Things it is about."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from chengshu.parties.principal import Principal
from chengshu.sensing.accept import accept
from chengshu.sensing.decode import ndjson
from chengshu.sensing.known import changed
from chengshu.sensing.models import Datastream, Quarantined
from tests.sensing.conftest import Stream, stream
from tests.sensing.test_accept import NOW, row, stored

__all__ = ["stream"]
pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]


@pytest.fixture
def hot(who: Callable[[str], Principal], stream: Stream) -> Datastream:
    """A datastream up to 80 degrees, which said 99 twice."""
    one = stream("T-1")
    lines = [row(one.pk, result=99), row(one.pk, "2026-11-20T11:05:00Z", 98)]
    accept(ndjson("\n".join(lines).encode()), actor=who("gateway"), at=NOW)
    return one


def page(client: Client, address: str = "") -> str:
    answer = client.get(f"/sensing/quarantine{address}")
    assert answer.status_code == 200
    return answer.content.decode()


def act(client: Client, **sent: object) -> tuple[int, str]:
    answer = client.post("/sensing/quarantine/act", sent, follow=True)
    return answer.status_code, answer.content.decode()


def test_a_row_is_mended_and_taken(browser: Browser, hot: Datastream) -> None:
    steward = browser("steward")
    assert "99" in page(steward) and "结果超出可能的范围" in page(steward)
    first = Quarantined.objects.get(line=1)
    status, said = act(steward, do="repair", row=first.pk, line=row(hot.pk, result=100))
    assert (status, "100" in said, stored()) == (422, True, [])
    assert act(steward, do="repair", row=first.pk, line=row(hot.pk, result=29))[0] == 200
    assert [result for _, _, result in stored()] == [29.0]
    first.refresh_from_db()
    assert (first.state, first.by.username if first.by else "") == ("repaired", "steward")
    assert act(steward, do="repair", row=first.pk, line=row(hot.pk, result=30))[0] == 409
    assert "演示·数据专员" in page(steward, "?state=repaired")


def test_all_are_sent_again_once_the_datastream_was_mended(browser: Browser, hot: Datastream) -> None:
    steward = browser("steward")
    act(steward, do="again", reason="range")
    assert stored() == []
    Datastream.objects.filter(pk=hot.pk).update(high=120)
    changed()
    status, _page = act(steward, do="again", reason="range")
    assert status == 200
    assert sorted(result for _, _, result in stored() if result) == [98.0, 99.0]
    assert not Quarantined.objects.filter(state="open").exists()


def test_a_row_is_given_up_and_stays_in_sight(browser: Browser, hot: Datastream) -> None:
    steward = browser("steward")
    act(steward, do="drop", row=Quarantined.objects.get(line=2).pk)
    assert "98" in page(steward, "?state=dropped")
    assert '"row-' in page(steward) and "98.0" not in page(steward)


def test_others_neither_see_nor_settle_it(browser: Browser, hot: Datastream) -> None:
    for username in ("dispatcher", "citizen", "handler"):
        assert browser(username).get("/sensing/quarantine").status_code == 403
        assert act(browser(username), do="drop", row=1)[0] == 403
