"""Identifiers: UUIDs of version 7 (RFC 9562), which sort by the time they were made."""

from uuid import UUID

from uuid6 import uuid7 as _uuid7


def new_id() -> UUID:
    """A new UUIDv7."""
    return UUID(int=_uuid7().int)
