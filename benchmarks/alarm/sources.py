"""Levels of the synthetic fleet. They come through the doors only: there is no recorded file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from chengshu.core.errors import Invalid
from chengshu.scene import Column, Decoded, Source


def decode(content: bytes, options: Mapping[str, Any]) -> Decoded:
    """Raises `Invalid` always."""
    raise Invalid("There is no record of this source.", remedy="Run chengshu simulate.")


LEVELS = Source(
    name="levels",
    kind="synthetic_level",
    decode=decode,
    period=timedelta(seconds=1),
    columns={"level": Column(dtype=pl.Float64(), unit="cm", meaning="level above the zero of the gauge")},
)
