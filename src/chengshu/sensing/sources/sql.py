"""Rows of a foreign PostgreSQL: one SELECT in a read-only transaction that may not last."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import psycopg
from django.utils.translation import gettext as _
from psycopg import sql

from chengshu.core.errors import Invalid
from chengshu.sensing.sources import http

CONNECT: Final = 10  # seconds
STATEMENT: Final = 30_000  # milliseconds
MOST: Final = 100_000  # rows at once; the next look goes on behind them
MODES: Final = frozenset({"disable", "prefer", "require", "verify-ca", "verify-full"})
DRIVERS: Final = {"mysql": "pymysql", "oracle": "oracledb", "mssql": "pyodbc", "sqlserver": "pyodbc", "dm": "dmPython"}


def rows(address: str, query: str, *, cursor: str | None, by: str | None, secret: str) -> tuple[bytes, bool]:
    """The rows of a SELECT as NDJSON, a record a row, and whether there are more.

    Args:
        address: `postgresql://user@host:port/name?sslmode=require`; the password is the secret.
        query: may name `%(cursor)s`; another % is written twice.
        by: the column that the cursor follows: rows come in its order.

    Raises:
        Invalid: the address or the query is not right.
        NotAllowed: the host lies inside.
        Unreachable: the database does not answer.
    """
    options = connected_by(address)
    text = sql.SQL(query.strip().rstrip(";"))
    order = sql.SQL("ORDER BY {}").format(sql.Identifier(by)) if by else sql.SQL("")
    statement = sql.SQL("SELECT * FROM ({}) AS feed {} LIMIT {}").format(text, order, sql.SQL(str(MOST + 1)))
    try:
        with psycopg.connect(**options, password=secret) as line:
            line.read_only = True
            # The binary form makes it one statement, whatever stands in it (PostgreSQL's extended protocol).
            found = line.execute(statement, {"cursor": cursor}, binary=True)
            names = [column.name for column in found.description or ()]
            read = found.fetchall()
    except psycopg.OperationalError as error:
        what, remedy = _("The database does not answer."), _("It is tried again by itself.")
        raise http.Unreachable(what, where=str(error)[:200], remedy=remedy) from error
    except (psycopg.Error, TypeError) as error:  # TypeError: psycopg's own for %s beside %(cursor)s
        remedy = _("Try the SELECT in the database; write %% for a percent sign.")
        raise Invalid(_("The database refuses the query."), where=str(error)[:300], remedy=remedy) from error
    kept = [dict(zip(names, map(_plain, row), strict=True)) for row in read[:MOST]]
    return msgspec.json.Encoder().encode_lines(kept), len(read) > MOST


def _plain(value: Any) -> Any:
    """A value of the database as JSON has it; numbers of any precision as their digits."""
    if value is None or isinstance(value, bool | int | float | str | dict | list):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def connected_by(address: str) -> dict[str, Any]:
    """What a connection is made with, the host judged and resolved. Raises as `rows`."""
    parts = _parts(address)
    host, port = parts.hostname or "", parts.port or 5432
    mode = parse_qs(parts.query).get("sslmode", ["prefer"])[0]
    if mode not in MODES or set(parse_qs(parts.query)) - {"sslmode"}:
        raise Invalid(
            _("Only sslmode may stand behind the name."), where=parts.query[:100], remedy=_("Leave the rest out.")
        )
    return {
        "host": host,
        "hostaddr": http.address_of(host, port),
        "port": port,
        "user": unquote(parts.username or ""),
        "dbname": unquote(parts.path.lstrip("/")),
        "sslmode": mode,
        "connect_timeout": CONNECT,
        "application_name": "chengshu feed",
        "options": f"-c statement_timeout={STATEMENT} -c lock_timeout=5000 -c default_transaction_read_only=on",
    }


def _parts(address: str) -> Any:
    remedy = _("Write postgresql://user@host:5432/name?sslmode=require.")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise Invalid(_("This is no address of a database."), where=address[:200], remedy=remedy) from error
    scheme = parts.scheme.partition("+")[0].lower()
    if driver := DRIVERS.get(scheme):
        what = _("A driver is missing for this sort of database: %(driver)s.") % {"driver": driver}
        raise Invalid(what, remedy=_("Have it write files to a folder, or offer the rows over HTTP."))
    if scheme not in {"postgresql", "postgres"} or not parts.hostname or "," in parts.netloc or port == 0:
        raise Invalid(_("This is no address of a database."), where=address[:200], remedy=remedy)
    if parts.password is not None:
        raise Invalid(_("An address holds no name and no password."), remedy=_("Enter the secret in its own field."))
    return parts
