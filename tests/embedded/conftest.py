"""Folders for embedded databases: below /tmp and open to other accounts, which pytest's own are not for root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chengshu.embedded.home import Home

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="shows what root does")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short, empty folder that every account may enter."""
    path = Path(tempfile.mkdtemp(prefix="cs-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home that does not exist yet."""
    monkeypatch.delenv("CHENGSHU_DATABASE_URL", raising=False)
    return Home(folder=folder / "home")
