"""A level above the limit."""

from __future__ import annotations

from chengshu.detectors import threshold

TYPE = "crowd.station.warning"  # any type that the city knows
HIGH = threshold(column="level", prefix="level", type=TYPE, scene="alarm")
