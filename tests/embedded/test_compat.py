"""A program must not work on data of a newer version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from chengshu.embedded.home import Home


def test_schema_of_a_newer_version_is_refused(home: Home) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.embedded.schema_ahead", str(home.folder)],
        cwd=Path(__file__).resolve().parents[2],
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith(("equal", "ahead"))]
    assert lines[0] == "equal: fine; current: False True"
    assert "auth.9999_of_the_future" in lines[1]
    assert "newer version" in lines[1]
