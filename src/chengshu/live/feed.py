"""What the database tells: it is heard by LISTEN and turned into rows by one query for each message."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Set
from contextlib import suppress
from typing import Any, LiteralString

from psycopg import AsyncConnection, Error, OperationalError, sql
from psycopg.rows import dict_row, scalar_row

from chengshu.live import metrics
from chengshu.live.hub import Happening, Hub
from chengshu.live.tickets import Ticket, session_digest
from chengshu.live.wire import CHANNEL, parsed
from chengshu.logs import get_logger

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0  # seconds between tries while the database is away
CHECK = 60.0  # seconds between two looks at whether those who listen are still signed in and hold their posts
# A server that vanishes without a word is missed within half a minute.
OPTIONS: dict[str, Any] = {
    "application_name": "chengshu live", "connect_timeout": 5, "autocommit": True,
    "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3,
}  # fmt: skip

CASES: LiteralString = """
    SELECT c.id, c.number, c.seq, s.code AS state, c.closed_at IS NOT NULL AS closed,
           m.code AS move, m.label, m.label_en, p.role,
           CASE WHEN a.id IS NULL OR p.role = 'citizen' THEN '' ELSE a.name END AS who,
           c.places, c.reporter_id AS reporter,
           ARRAY(SELECT t.unit_id FROM cases_task t WHERE t.case_id = c.id AND t.state IN ('open', 'done')
                 UNION SELECT c.unit_id WHERE c.unit_id IS NOT NULL) AS units,
           ARRAY(SELECT t.unit_id FROM cases_task t WHERE t.case_id = c.id AND t.state NOT IN ('open', 'done')
                 AND t.ended_seq = c.seq) AS left
    FROM cases_case c
    JOIN cases_state s ON s.id = c.state_id
    JOIN cases_step p ON p.case_id = c.id AND p.seq = c.seq
    JOIN cases_move m ON m.id = p.move_id
    LEFT JOIN parties_account a ON a.id = p.account_id
    WHERE """
BY_ID: LiteralString = CASES + "c.id = ANY (%s)"
BY_NUMBER: LiteralString = CASES + "c.number = %s"
UNREAD: LiteralString = """
    SELECT a, (SELECT count(*) FROM parties_notice n WHERE n.account_id = a AND n.read_at IS NULL)
    FROM unnest(%s::bigint[]) a"""
HELD: LiteralString = """
    SELECT p.id FROM parties_post p
    JOIN parties_account a ON a.id = p.account_id
    JOIN places_division d ON d.id = p.division_id JOIN places_city c ON c.id = d.city_id
    WHERE p.id = ANY (%s) AND a.is_active
      AND daterange(p.valid_from, p.valid_to) @> (now() AT TIME ZONE c.timezone)::date"""

SESSIONS: LiteralString = """
    SELECT s.session_key FROM usersessions_usersession u JOIN django_session s ON s.session_key = u.session_key
    WHERE u.user_id = ANY (%s) AND s.expire_date > now()"""

log = get_logger(__name__)


class Feed:
    """The connection to the database; when it is lost, it is made again, and all pages are told to read anew."""

    def __init__(self, url: str, hub: Hub) -> None:
        self.up = False
        self._url, self._hub = url, hub
        self._asking: AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()  # a connection answers one question at a time

    async def run(self) -> None:
        """Listen until cancelled."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._listen()
            except (Error, OSError) as error:
                pause = FIRST_PAUSE if self.up else min(pause * 2, LONGEST_PAUSE)
                self.up, self._asking = False, None
                metrics.LISTENING.set(0)
                log.warning("live.database-away", error=str(error), again_in=pause)
            await asyncio.sleep(pause)

    async def _listen(self) -> None:
        connect = AsyncConnection.connect
        async with await connect(self._url, **OPTIONS) as hearing, await connect(self._url, **OPTIONS) as asking:
            await hearing.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            self._asking, self.up = asking, True
            metrics.LISTENING.set(1)
            log.info("live.listening")
            self._hub.resync()  # whatever happened while nobody heard it
            while True:
                async for notify in hearing.notifies(timeout=CHECK):
                    await self._heard(notify.payload)
                await self._check()

    async def _heard(self, payload: str) -> None:
        try:
            news = parsed(payload)
        except ValueError:
            log.warning("live.not-understood", payload=payload[:100])
            return
        if not self._hub.streams:
            return
        if news.cases:
            self._hub.happened(await self._happenings(BY_ID, list(news.cases)))
        here = {stream.ticket.account for stream in self._hub.streams} & set(news.accounts)
        if here:
            self._hub.noticed(await self.unread(here))

    async def case(self, number: str) -> Happening | None:
        """The case of a number as it stands, if there is one; None also while the database is away."""
        with suppress(Error):
            return next(iter(await self._happenings(BY_NUMBER, number)), None)
        return None

    async def unread(self, accounts: Collection[int]) -> dict[int, int]:
        """How many notices each account has not read."""
        async with self._lock, self._connection().cursor() as cursor:
            return dict(await (await cursor.execute(UNREAD, [list(accounts)])).fetchall())

    async def _happenings(self, query: LiteralString, value: Any) -> list[Happening]:
        async with self._lock, self._connection().cursor(row_factory=dict_row) as cursor:
            return [_happening(**row) for row in await (await cursor.execute(query, [value])).fetchall()]

    async def held(self, tickets: Set[Ticket]) -> set[Ticket]:
        """Those of these tickets whose post is held today and whose session has not ended."""
        posts, accounts = [ticket.post for ticket in tickets], [ticket.account for ticket in tickets]
        async with self._lock, self._connection().cursor(row_factory=scalar_row) as cursor:
            held = set(await (await cursor.execute(HELD, [posts])).fetchall())
            lasting = set(map(session_digest, await (await cursor.execute(SESSIONS, [accounts])).fetchall()))
        return {ticket for ticket in tickets if ticket.post in held and ticket.session in lasting}

    async def _check(self) -> None:
        if tickets := {stream.ticket for stream in self._hub.streams}:
            self._hub.end(tickets - await self.held(tickets))

    def _connection(self) -> AsyncConnection[Any]:
        if self._asking is None:
            raise OperationalError("the database is away")
        return self._asking


def _happening(places: list[int], units: list[int], left: list[int], **facts: Any) -> Happening:
    return Happening(places=frozenset(places), units=frozenset(units), left=frozenset(left) - frozenset(units), **facts)
