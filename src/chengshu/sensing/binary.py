"""Columns to PostgreSQL's binary COPY format, without a loop over rows.

The format: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY. All columns given have a fixed width and no
nulls, so that a row is one item of a structured array; rows with other nulls are another call with other columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # signature, no flags, no extension
_TRAILER: Final = b"\xff\xff"
_EPOCH: Final = 946_684_800_000_000  # PostgreSQL counts microseconds from 2000-01-01
_TYPES: Final[Mapping[str, str]] = {"smallint": ">i2", "bigint": ">i8", "double": ">f8", "timestamptz": ">i8"}

Column = tuple[str, NDArray[Any]]
"""A type of `_TYPES` and its values; a timestamptz as int64 microseconds since 1970."""


def encode(columns: Mapping[str, Column]) -> bytes:
    """The bytes of a whole COPY of these columns, in their order; all of one length."""
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, (kind, _values) in columns.items():
        fields += [(f"{name}.length", ">i4"), (name, _TYPES[kind])]
    rows = np.empty(len(next(iter(columns.values()))[1]), dtype=fields)
    rows["fields"] = len(columns)
    for name, (kind, values) in columns.items():
        rows[f"{name}.length"] = np.dtype(_TYPES[kind]).itemsize
        rows[name] = values - _EPOCH if kind == "timestamptz" else values
    return _HEADER + rows.tobytes() + _TRAILER
