"""Follows what changes and has those told who subscribed: a thread with a connection of its own, which begins anew when that
is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import psycopg
from django.db import DatabaseError, connection, connections
from psycopg import sql

from chengshu.logs import get_logger
from chengshu.sensing import news
from chengshu.sensing.mqtt import changes, updates
from chengshu.sensing.mqtt.changes import Deliveries
from chengshu.sensing.mqtt.updates import Change, Update, Watch

PAUSE: Final = 0.2  # seconds between two looks at deliveries
AWAY: Final = 2.0  # seconds between tries while the database is away
log = get_logger(__name__)


def newest_delivery() -> int:
    """The delivery behind which a new subscriber begins."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM sensing_delivery")
        return int(cursor.fetchone()[0])


class Teller:
    """Tells `tell` of updates for the watches that `watching` gives."""

    def __init__(
        self, base: str, watching: Callable[[], Sequence[Watch]], tell: Callable[[list[Update]], None]
    ) -> None:
        self._base, self._watching, self._tell = base, watching, tell
        self._deliveries = Deliveries()
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt-tell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)

    def begin(self, delivery: int) -> None:
        """Somebody subscribed when this was the newest delivery; to be called when `watching` gives it."""
        with self._guard:
            if self._deliveries.reached < 0:
                self._deliveries.reached = delivery

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (psycopg.Error, DatabaseError, OSError) as error:
                log.warning("mqtt.database-away", error=str(error))
            except Exception:
                log.exception("mqtt.telling-broke")
            connection.close()
            self._stop.wait(AWAY)

    def _follow(self) -> None:
        with psycopg.connect(**_parameters(), autocommit=True) as own:
            own.execute(sql.SQL("LISTEN {}").format(sql.Identifier(news.CHANNEL)))
            while not self._stop.is_set():
                self._step(own)

    def _step(self, own: psycopg.Connection[Any]) -> None:
        found: list[Change] = list(changes.heard(own, PAUSE))
        with self._guard:
            watches = self._watching()
            if not watches:
                self._deliveries.forget()
                return
        wanted = updates.streams(watches)
        more = bool(wanted) or updates.sets_of_observations(watches)
        while more and not self._stop.is_set():
            streams = {0} if updates.sets_of_observations(watches) else wanted
            fresh, more = self._deliveries.step(own, streams)
            found += fresh
            if found:
                self._tell(list(updates.told(watches, found, self._base)))
            found = []
        if found:
            self._tell(list(updates.told(watches, found, self._base)))


def _parameters() -> dict[str, Any]:
    """What a connection beside Django's needs."""
    found = connections["default"].get_connection_params()
    return {name: found[name] for name in ("dbname", "user", "password", "host", "port") if found.get(name)} | {
        "application_name": "chengshu mqtt", "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3,
    }  # fmt: skip
