"""HEAD gets what GET gets, and changes nothing: nobody checks where its form comes from (CSRF)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test import Client

from chengshu.parties.models import Account, Channel
from chengshu.places.models import City
from tests.web import permissions as matrix
from tests.web.conftest import Browser
from tests.web.world import ACCOUNTS, world

# Every page of somebody signed in may write these; what is taken away or read about people leaves its trace, and is counted.
OWN = {"django_session", "usersessions_usersession", "parties_audit", "parties_access", "parties_attempt"}
FIELDS = {  # what forms of pages that answer GET too take, so that one which did its act would
    "kind": "webhook", "address": "https://hooks.city.example/x", "username": "admin", "password": "x", "number": "HZ-1",
    "word": "AAAAA-22222", "title": "路灯不亮", "place": "文三路", "move": "urge", "name": "x", "why": "试一试", "do": "save",
}  # fmt: skip


def written() -> int:
    """The rows that this transaction has written so far, but those of sessions, traces and limits."""
    query = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables WHERE relname <> ALL (%s)"
    with connection.cursor() as cursor:
        cursor.execute(query, [list(OWN)])
        return int(cursor.fetchone()[0] or 0)


def pages(expected: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[matrix.Row, str]]:
    """Every page that answers GET, with somebody who may open it."""
    for row in matrix.rows():
        if row.method == "GET" and not row.route.startswith("/api/"):
            role = next((role for role in matrix.ROLES if expected[row.name][role] == "ok"), None)
            if role:
                yield row, role


@pytest.mark.django_db
def test_no_page_writes_anything_when_asked_for_its_head(
    hangzhou: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHENGSHU_DEMO_PASSWORD", "toys for everybody")
    made = world(hangzhou, tmp_path)
    expected, wrong = matrix.expected(), []
    for row, role in pages(expected):
        client, things = Client(), made.own.get(role, made.own["operator"])
        if role != "anonymous":
            client.force_login(Account.objects.get(username=ACCOUNTS[role]))
        post = replace(row, method="POST")
        form = {**(FIELDS if post.name in expected else {}), **row.form(things), **post.form(things)}
        with transaction.atomic():
            before = written()
            answer = client.head(row.path(made, things), form)
            for close in answer._resource_closers:  # not answer.close(), which would end the connection of the test
                close()
            if written() != before or answer.status_code >= 500:
                wrong.append(f"HEAD {row.route} as {role}: {answer.status_code}")
            transaction.set_rollback(True)
    assert not wrong, "\n".join(wrong)


def test_head_is_answered_as_get_is_and_forms_alone_have_none(browser: Browser) -> None:
    client = browser("handler")
    fields = {"kind": "webhook", "address": "https://hooks.city.example/x"}
    assert client.head("/account/channels", fields).status_code == 200
    assert not Channel.objects.exists()
    assert client.head("/account/tokens").status_code == 405
    assert client.post("/account/channels", fields).status_code == 302
    assert Channel.objects.count() == 1
