"""tools/translations.py refuses sentences that no catalogue can hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import translations

ROOT = Path(__file__).parent.parent
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


def test_what_is_late_has_one_name() -> None:
    """The glossary decides for 超期, the counterpart of 按期: two words for one thing look like two things."""
    glossary = ROOT / "src/chengshu/web/help/glossary.yaml"
    texts = [*ROOT.glob("src/chengshu/web/help/**/*.yaml"), *ROOT.glob("cities/*/*.yaml"), *ROOT.glob("cities/*/*.csv")]
    texts += [ROOT / "src/chengshu/evaluation/measures.py", ROOT / "src/chengshu/evaluation/indicators.py"]
    assert glossary in texts
    others = re.compile("超时|逾期")
    found = [f"{t.name}: {line}" for t in texts for line in t.read_text("utf-8").splitlines() if others.search(line)]
    assert [line for line in found if "12345 热线常称" not in line and "hotlines often say" not in line] == []
    late = re.compile(r"\b(late|overdue)\b")
    said = [str(m.string) for m in translations.translated() if late.search(str(m.id)) and others.search(str(m.string))]
    assert said == []
