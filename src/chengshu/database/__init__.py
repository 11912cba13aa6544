"""The way to PostgreSQL: Django's, with a cheaper look at idle connections, and prepared statements for hot paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection

PREPARED_AFTER = 5  # executions; psycopg's own default, which Django switches off


def rows(sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one statement that is the same every time, and return its rows.

    PostgreSQL plans it once for a connection, where a query of the ORM is planned each time: for a case with what
    belongs to it, planning costs ten times as much as reading. Takes part in the transaction that is open, if any.
    """
    connection.validate_no_broken_transaction()
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(sql, values, prepare=True).fetchall()
