"""The dispatch rules on the page: read, tried, saved with a reason, taken back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from django.test import Client

from chengshu.cases.catalog import catalog, forget
from chengshu.cases.models import Case
from chengshu.places.models import City, Part
from chengshu.web.admin.rule_words import read, sentences, written
from tests.web.conftest import Browser


@pytest.fixture
def editor(browser: Browser) -> Iterator[Client]:
    yield browser("admin")
    forget()


def form(client: Client) -> dict[str, str]:
    page = client.get("/rules/edit").content.decode()
    text = re.search(r"<textarea[^>]+>(.*?)</textarea>", page, re.S)
    seen = re.search(r'name="seen" value="(\d+)"', page)
    assert text
    assert seen
    return {"rules": unescape(text[1]), "seen": seen[1]}


def test_rules_survive_being_written_and_read(hangzhou: City) -> None:
    known = catalog(hangzhou.pk)
    rules = known.parts["dispatch"]["rules"]
    assert read(written(rules)) == rules
    said = sentences(known, rules)
    assert len(said) == len(rules)
    assert all(sentence.unit for sentence in said)
    assert not said[-1].conditions


def test_a_changed_table_is_tried_before_it_is_saved(editor: Client, case: Callable[..., Case]) -> None:
    made = case(0)
    fields = form(editor)
    rule = "- {id: to-street, when: {type: [env.exposed_rubbish]}, unit: 330106-CGJ, because: 试行}\n"
    answer = editor.post("/rules/edit", {**fields, "rules": rule + fields["rules"], "do": "try"})
    assert made.number in answer.content.decode()
    assert Part.objects.filter(name="dispatch", city__name="hangzhou").count() == 1


def test_saving_needs_a_reason_and_keeps_the_earlier_version(editor: Client, hangzhou: City) -> None:
    fields = form(editor)
    rule = "- {id: first, when: {severity_max: 1}, unit: 330106-CGJ, because: 急件}\n"
    changed = {**fields, "rules": rule + fields["rules"], "do": "save"}
    assert editor.post("/rules/edit", changed).status_code == 422
    assert editor.post("/rules/edit", {**changed, "why": "急件先派城管"})["Location"] == "/rules"
    assert (
        editor.post("/rules/edit", {**changed, "why": "又改一次"}).status_code == 422
    )  # from a version that is no longer the newest
    forget()
    assert catalog(hangzhou.pk).parts["dispatch"]["rules"][0]["id"] == "first"
    assert "急件先派城管" in editor.get("/rules").content.decode()
    seen = form(editor)["seen"]
    editor.post("/rules/restore", {"version": fields["seen"], "seen": seen, "why": "试行结束"})
    forget()
    assert catalog(hangzhou.pk).parts["dispatch"]["rules"][0]["id"] != "first"
    assert Part.objects.filter(name="dispatch", city=hangzhou).count() == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not: [a, list",
        "id: x",
        "- 1",
        "- {id: &a x, unit: *a}",
        "- {id: x, unit: nowhere}",
        "- {id: x, when: 2026-01-01, unit: a}",
        "[" * 5000,
    ],
)
def test_a_table_that_cannot_be_used_is_explained(editor: Client, text: str) -> None:
    answer = editor.post("/rules/edit", {"rules": text, "seen": form(editor)["seen"], "do": "save", "why": "试试看"})
    assert answer.status_code == 422
    assert b"error-summary" in answer.content


def test_those_who_only_read_cannot_edit(browser: Browser) -> None:
    client = browser("dispatcher")
    assert b"/rules/edit" not in client.get("/rules").content
    assert client.get("/rules/edit").status_code == 403
    assert client.post("/rules/restore", {"version": 1}).status_code == 403
