"""`chengshu live` needs the database of a city that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_without_a_database_it_says_what_to_do(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CHENGSHU_")}
    done = subprocess.run(
        [sys.executable, "-m", "chengshu", "live"],
        env=clean | {"CHENGSHU_HOME": str(tmp_path / "home"), "LANG": "C.UTF-8"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 3
    assert "CHENGSHU_DATABASE_URL" in done.stderr
