"""tools/translations.py refuses sentences that no catalogue can hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import translations

SOURCES = {
    "an error": 'raise Invalid(f"No {x}.", remedy="Mend it.")',
    "its remedy": 'raise Invalid("No.", remedy=f"Use {x}.")',
    "by a name": 'def f():\n    what = f"No {x}."\n    raise NotFound(what)',
    "gettext": '_(f"No {x}.")',
}


@pytest.mark.parametrize("name", SOURCES)
def test_an_f_string_in_a_sentence_is_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "here.py").write_text(SOURCES[name])
    monkeypatch.setattr(translations, "PACKAGE", tmp_path)
    assert len(list(translations.unspeakable())) == 1


def test_placeholders_and_constants_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cases").mkdir()
    source = 'raise Invalid(_("No %(x)s.") % {"x": x}, where=f"{x}", remedy="Mend it.")'
    (tmp_path / "cases" / "here.py").write_text(source)
    monkeypatch.setattr(translations, "PACKAGE", tmp_path)
    assert list(translations.unspeakable()) == []
