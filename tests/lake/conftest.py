"""What the tests of sensing use, these do too."""

from __future__ import annotations

from tests.sensing.conftest import stream

__all__ = ["stream"]
