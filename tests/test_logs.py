"""Log lines: an action, fields, one shape for ours and for those of libraries."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from chengshu import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the logging of the other tests alone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_json_line_has_action_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json")
    logs.get_logger("chengshu.test").info("case.moved", case=7, place="西湖")
    line = json.loads(capsys.readouterr().err)
    assert line["at"].endswith("Z")
    assert line["place"] == "西湖"
    assert {key: line[key] for key in ("action", "case", "level", "logger")} == {
        "action": "case.moved", "case": 7, "level": "info", "logger": "chengshu.test",
    }  # fmt: skip


def test_line_of_a_library_has_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json")
    logging.getLogger("django.request").warning("Not Found: %s", "/x")
    line = json.loads(capsys.readouterr().err)
    assert line["action"] == "django.request.logged"
    assert line["message"] == "Not Found: /x"


def test_error_carries_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json")
    try:
        raise ValueError("no")
    except ValueError:
        logs.get_logger("chengshu.test").exception("job.failed")
    assert "ValueError: no" in json.loads(capsys.readouterr().err)["exception"]


def test_words_beside_an_action(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json")
    logs.get_logger("chengshu.test").info("worker started", action="worker.started")
    line = json.loads(capsys.readouterr().err)
    assert (line["action"], line["message"]) == ("worker.started", "worker started")


def test_level_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="json", level="warning")
    logs.get_logger("chengshu.test").info("case.moved")
    assert capsys.readouterr().err == ""


def test_pretty_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="pretty")
    logs.get_logger("chengshu.test").info("case.moved", case=7)
    assert "case.moved" in capsys.readouterr().err


def test_format_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHENGSHU_LOG", "pretty")
    assert logs.chosen_format() == "pretty"
    monkeypatch.setenv("CHENGSHU_LOG", "")
    assert logs.chosen_format() == "json"  # stderr is no terminal here
