"""Seals days in children that are killed: `python -m tests.sensing.sealer DAY…`, then a line on standard input for each attempt.

A line is the point at which the child kills itself, or the seconds after which it is killed, or "whole". The answer is one line:
how the child ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import date

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chengshu.settings")
django.setup()

from chengshu.sensing.seal import seal  # noqa: E402


def child(days: list[date], point: str) -> None:
    """Seal, and die at the point."""

    def reached(there: str) -> None:
        if there == point:
            os.kill(os.getpid(), signal.SIGKILL)

    seal(days, reached=reached)
    os._exit(0)


def main(days: list[date]) -> None:
    """Fork before anything is connected, so that an attempt does not begin with a second of imports."""
    for line in sys.stdin:
        point = line.strip()
        made = os.fork()
        if made == 0:
            try:
                child(days, point)
            finally:
                os._exit(9)
        if point[0].isdigit():
            time.sleep(float(point))
            os.kill(made, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(made, 0)[1]), flush=True)


if __name__ == "__main__":
    main([date.fromisoformat(each) for each in sys.argv[1:]])
