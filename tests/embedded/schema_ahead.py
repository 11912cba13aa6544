"""A tiny Django on an embedded database, whose schema then runs ahead: `python -m tests.embedded.schema_ahead HOME`.

Runs in a process of its own, because Django can be set up only once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from psycopg.conninfo import conninfo_to_dict

from chengshu.core.errors import CannotStart
from chengshu.embedded.compat import check_schema, is_current
from chengshu.embedded.home import Home
from chengshu.embedded.postgres import EmbeddedPostgres


def configure(url: str) -> None:
    """Set Django up on the database at `url`."""
    parts = conninfo_to_dict(url)
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parts["dbname"],
                "USER": parts["user"],
                "PASSWORD": parts["password"],
                "HOST": parts["host"],
            }
        },
    )
    django.setup()


def main(home: str) -> None:
    """Print what the check says before and after a newer version wrote to the database."""
    with EmbeddedPostgres(Home(folder=Path(home))) as server:
        configure(server.url)
        check_schema(connection)
        before = is_current(connection)
        call_command("migrate", verbosity=0)
        check_schema(connection)
        print("equal: fine; current:", before, is_current(connection))
        MigrationRecorder(connection).record_applied("auth", "9999_of_the_future")
        try:
            check_schema(connection)
        except CannotStart as error:
            print("ahead:", error)
        connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
