"""A notice that does not come through is tried again, sent once, and ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chengshu.core.errors import Conflict, NotFound
from chengshu.parties import delivery, delivery_send
from chengshu.parties.delivery import MOST_TRIES
from chengshu.parties.models import Account, Delivery, Notice
from chengshu.parties.notices import Told, give
from tests.parties.receivers import MailServer, WebServer
from tests.parties.telling import NOON, ZONE, Who, channel, states, tell


def test_the_same_notice_is_planned_once(who: Who) -> None:
    handler = who("handler")
    channel(handler, "email", "handler@city.example")
    for _again in range(2):
        notice = Notice(account_id=handler.account, key="same", kind="due", params={}, at=NOON)
        give([Told(notice=notice, city=handler.city, zone=ZONE)], NOON)
    assert Notice.objects.filter(key="same").count() == 1
    assert states() == ["waiting"]


def test_it_is_tried_eight_times_and_then_given_up_until_somebody_asks(who: Who, web: WebServer) -> None:
    handler = who("handler")
    channel(handler, "webhook", web.url)
    tell(handler, "due")
    web.status = 503
    now = NOON
    for _try in range(MOST_TRIES + 2):
        delivery_send.once(now)
        now += timedelta(days=1)
    assert len(web.requests) == MOST_TRIES
    [dead] = Delivery.objects.all()
    assert (dead.state, dead.next_at) == ("dead", None)
    assert delivery.dead_count(handler.city) == 1
    with pytest.raises(NotFound):
        delivery.send_again(delivery.of_account(who("dispatcher")), dead.pk, now)
    with pytest.raises(NotFound):
        delivery.send_again(delivery.of_city(handler), dead.pk, now)
    web.status = 200
    delivery.send_again(delivery.of_city(who("admin")), dead.pk, now)
    delivery_send.once(now)
    assert states() == ["sent"]
    with pytest.raises(Conflict):
        delivery.send_again(delivery.of_account(handler), dead.pk, now)


@pytest.mark.parametrize(("refusal", "state"), [("550 no such box", "dead"), ("451 later", "waiting")])
def test_what_mail_servers_refuse_for_good_is_not_tried_again(
    who: Who, mail: MailServer, refusal: str, state: str
) -> None:
    handler = who("handler")
    channel(handler, "email", "handler@city.example")
    tell(handler)
    mail.refusal = refusal
    delivery_send.once(NOON)
    [found] = Delivery.objects.all()
    assert (found.state, found.detail) == (state, f"SMTP {refusal[:3]}")


def test_a_gone_webhook_and_a_closed_account_end_at_once(who: Who, web: WebServer) -> None:
    handler, grid = who("handler"), who("grid")
    channel(handler, "webhook", web.url)
    channel(grid, "webhook", web.url)
    tell(handler)
    tell(grid)
    Account.objects.filter(pk=grid.account).update(is_active=False)
    web.status = 410
    delivery_send.once(NOON)
    assert sorted(Delivery.objects.values_list("state", "error")) == [("dead", "answer"), ("dead", "no_account")]
    assert len(web.requests) == 1


def test_broken_off_between_sending_and_noting_it_is_sent_once_more_with_the_same_key(
    who: Who, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once; a receiver that looks at the key sees one message. Meanwhile nobody else takes it."""
    handler = who("handler")
    channel(handler, "webhook", web.url)
    tell(handler, "due")

    class Killed(BaseException):
        pass

    def killed(*_args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(delivery, "note", killed)
        with pytest.raises(Killed):
            delivery_send.once(NOON)
    assert delivery_send.once(NOON + delivery.LEASE - timedelta(seconds=1)) == 0
    assert delivery_send.once(NOON + delivery.LEASE) == 1
    assert states() == ["sent"]
    assert len({headers["webhook-id"] for _path, headers, _body in web.requests}) == 1
    assert len(web.requests) == 2


def test_what_kills_its_sender_every_time_comes_to_an_end(who: Who, web: WebServer) -> None:
    handler = who("handler")
    channel(handler, "webhook", web.url)
    tell(handler, "due")
    now = NOON
    for _death in range(MOST_TRIES + 1):
        delivery.take(now)
        now += delivery.LEASE
    assert list(Delivery.objects.values_list("state", "error")) == [("dead", "stopped")]
