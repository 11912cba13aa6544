"""Documentation is a test: what exists is documented, and what the documents point at exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from chengshu.cases.models import STAGES
from chengshu.parties.roles import Role

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]
SETTING = re.compile(r"CHENGSHU_[A-Z_]+[A-Z]")


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    code = [*(ROOT / "src").rglob("*.py"), ROOT / "Makefile", *(ROOT / "tools").iterdir()]
    used = {name for file in code if file.is_file() for name in SETTING.findall(file.read_text(encoding="utf-8"))}
    described = set(SETTING.findall((ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")))
    assert described == used


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert not [link for link in local if not (page.parent / link).exists()]


def test_the_reference_says_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, "tools/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("word", [*(role.value for role in Role), *STAGES])
def test_the_glossary_knows_roles_and_stages(word: str) -> None:
    assert f"`{word}`" in (ROOT / "docs/glossary.md").read_text(encoding="utf-8")


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    assert not [file.name for file in (ROOT / "docs/decisions").glob("0*.md") if file.name not in listed]
