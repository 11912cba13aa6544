"""A PostgreSQL of the operator's own, named by CHENGSHU_DATABASE_URL: can we work with it?"""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg

from chengshu.core.errors import CannotStart
from chengshu.embedded.words import _

OLDEST = 15
"""The oldest major version of PostgreSQL on which the tests run."""


def check_database(url: str, *, timeout: int = 5) -> None:
    """Raise CannotStart unless a PostgreSQL of a known version answers at `url` within `timeout` seconds."""
    try:
        with psycopg.connect(url, connect_timeout=timeout) as connection:
            major = connection.info.server_version // 10_000
    except (psycopg.Error, ValueError) as error:
        raise CannotStart(
            _("the database cannot be reached: %(reason)s.") % {"reason": " ".join(str(error).split()).rstrip(".")},
            where=without_password(url),
            remedy=_("Start it or correct CHENGSHU_DATABASE_URL; without that variable an embedded one is used."),
        ) from error
    if major < OLDEST:
        raise CannotStart(
            _("this is PostgreSQL %(found)s; at least %(oldest)s is needed.") % {"found": major, "oldest": OLDEST},
            where=without_password(url),
            remedy=_("Upgrade it, or use the embedded one by unsetting CHENGSHU_DATABASE_URL."),
        )


def without_password(url: str) -> str:
    """Return `url` as it may be shown and logged."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":•••@") if password else url
