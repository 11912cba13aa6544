"""Is this program able to work on these data?"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from chengshu.core.errors import CannotStart
from chengshu.embedded.words import _


def check_schema(connection: BaseDatabaseWrapper) -> None:
    """Raise CannotStart when the database has migrations that this program does not know: a newer version wrote it."""
    unknown = sorted(set(MigrationRecorder(connection).applied_migrations()) - known_migrations())
    if unknown:
        raise CannotStart(
            _("the database holds data of a newer version; this program does not know: %(names)s.")
            % {"names": ", ".join(f"{app}.{name}" for app, name in unknown[:5]) + ("…" if unknown[5:] else "")},
            where=str(connection.settings_dict.get("NAME", "")),
            remedy=_("Install the version of chengshu that wrote it, or use another database or CHENGSHU_HOME."),
        )


def is_current(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether every migration of this program is applied, so that a start need not migrate."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def known_migrations() -> set[tuple[str, str]]:
    """Return (app, name) of every migration of this program, with those that a squashed one replaces."""
    migrations = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    replaced = {old for migration in migrations.values() for old in migration.replaces}
    return set(migrations) | {(app, name) for app, name in replaced}
