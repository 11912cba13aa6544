"""Topics of MQTT (3.1.1, section 4.7) and their filters: what is one, what matches."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid
from chengshu.sensing.sources.mapping import Source

VERSION: Final = "v1.1"  # with which topics of SensorThings begin (18-088, 14)
LONGEST: Final = 1_000  # characters
FORMATS: Final = ("json", "ndjson", "csv")


def of_sensorthings(topic: str) -> bool:
    """Whether a topic, or a filter of topics, is one of SensorThings'."""
    return topic == VERSION or topic.startswith(f"{VERSION}/")


@lru_cache(maxsize=65_536)
def matches(topic: str, wanted: str) -> bool:
    """Whether a topic is among those of a filter: `+` stands for one level, `#` at the end for all that follow."""
    levels, parts = topic.split("/"), wanted.split("/")
    if topic.startswith("$") and parts[0] in {"+", "#"}:
        return False
    if parts[-1] == "#":
        parts.pop()
        if len(levels) < len(parts):
            return False
    elif len(levels) != len(parts):
        return False
    return all(part in ("+", level) for part, level in zip(parts, levels, strict=False))


def is_topic(topic: str) -> bool:
    """Whether clients may publish to it."""
    return 0 < len(topic) <= LONGEST and not any(each in topic for each in "+#\0") and not topic.startswith("$")


def is_filter(wanted: str) -> bool:
    """Whether it is a filter of topics."""
    parts = wanted.split("/")
    wild = all(part in {"+", "#"} for part in parts if "+" in part or "#" in part)
    return 0 < len(wanted) <= LONGEST and wild and "#" not in parts[:-1] and "\0" not in wanted


def checked(wanted: str, source: Source) -> str:
    """The filter of a source that is topics. Raises `Invalid` for one that is none, or a mapping that reads no messages."""
    if not is_filter(wanted) or wanted.startswith(("$", "#", "+")) or of_sensorthings(wanted):
        raise Invalid(
            _("This is no filter of topics."), where=wanted[:200],
            remedy=_("Write such as factory/+/temperature or meters/#; those of SensorThings need no source."),
        )  # fmt: skip
    if source.format not in FORMATS or source.melt is not None:
        raise Invalid(
            _("Messages have another format."), where="format",
            remedy=_("Write one of %(words)s.") % {"words": ", ".join(FORMATS)},
        )  # fmt: skip
    return wanted
