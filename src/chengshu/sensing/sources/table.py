"""A foreign table: text columns and the lines they stood on, and how large it may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid, TooLarge
from chengshu.sensing.records import Refused

LINE: Final = "\x00line"  # the column of lines: no foreign column has this name
LARGEST: Final = 256 * 2**20  # bytes, decompressed
MOST_COLUMNS: Final = 10_000
MOST_CELLS: Final = 100_000_000
MOST_REFUSED: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """What stood in a content: text columns with `LINE`, and what could not be read."""

    frame: pl.DataFrame
    refused: tuple[Refused, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The names of its own columns."""
        return [name for name in self.frame.columns if name != LINE]


def named(header: Sequence[str]) -> list[str]:
    """The names of columns; those without one are named by their number. Raises `Invalid` when one comes twice."""
    names = [name.strip() or f"column{number}" for number, name in enumerate(header, start=1)]
    if len(names) > MOST_COLUMNS:
        raise TooLarge(_("There are too many columns."), remedy=_("Send it in parts."))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(_("Two columns have the same name."), where=twice[:100], remedy=_("Rename one."))
    return names
