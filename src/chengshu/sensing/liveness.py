"""How every Thing is doing: judged a slice of the register at a time, when something in it can have changed, and only then.

`last_seen` changes with every delivery and bears no index, so that keeping it stays cheap. What says who is due is one row for
each 8192 neighbouring Things: the moment at which the first of them can become late or silent, reckoned when they were judged
last, and at most `LONGEST` ahead, for rules change too. Things that are not well and have spoken since are found through an index
of their own. A row is written where its state changes, never else.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from chengshu.places.models import City
from chengshu.sensing import kinds
from chengshu.sensing.models import Slice

BITS: Final = 13  # 8192 numbers a slice: some 20 ms to judge
LONGEST: Final = timedelta(minutes=15)  # until another rule, type or period counts
BUDGET: Final = 1.0  # seconds of work a tick: with one every 5 s a fifth of a processor when everything changes at once
UNWELL: Final = 20_000  # Things a tick and state that are asked whether they have spoken again

_MISSING: Final = f"""
WITH RECURSIVE walk AS (
    (SELECT id >> {BITS} AS n FROM sensing_thing ORDER BY id LIMIT 1)
    UNION ALL
    SELECT (SELECT t.id >> {BITS} FROM sensing_thing t WHERE t.id >= (w.n + 1) << {BITS} ORDER BY t.id LIMIT 1)
    FROM walk w WHERE w.n IS NOT NULL
)
INSERT INTO sensing_slice (id, due_at) SELECT n, %s FROM walk WHERE n IS NOT NULL ON CONFLICT DO NOTHING
"""  # noqa: S608
_SPOKEN: Final = f"""
WITH unwell AS MATERIALIZED (
    SELECT id, state_at, last_seen FROM sensing_thing
    WHERE state = %(state)s AND state <> 'live' AND id > %(after)s ORDER BY id LIMIT %(most)s
), due AS (
    SELECT id FROM sensing_slice WHERE due_at > %(now)s AND id IN (
        SELECT id >> {BITS} FROM unwell WHERE last_seen > coalesce(state_at, '-infinity'))
    ORDER BY id FOR UPDATE SKIP LOCKED
), called AS (
    UPDATE sensing_slice s SET due_at = %(now)s FROM due WHERE s.id = due.id
)
SELECT count(*), max(id) FROM unwell
"""  # noqa: S608
_TAKE: Final = "SELECT id FROM sensing_slice WHERE due_at <= %s ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED"
_JUDGED: Final = """
WITH usual AS MATERIALIZED (
    SELECT * FROM unnest(%(cities)s::bigint[], %(late_periods)s::float8[], %(silent_periods)s::float8[],
        %(lates)s::float8[], %(silents)s::float8[]) AS u (city, late_periods, silent_periods, late, silent)
), rule AS MATERIALIZED (
    SELECT * FROM unnest(%(rule_cities)s::bigint[], %(rule_types)s::text[], %(rule_lates)s::float8[],
        %(rule_silents)s::float8[]) AS r (city, type, late, silent)
), seen AS (
    SELECT t.id, t.city_id, t.type, t.state, t.last_seen, t.retired_at, coalesce(t.places[2], 0) AS division,
        make_interval(secs => coalesce(r.late, p.period * u.late_periods, u.late)) AS late,
        make_interval(secs => coalesce(r.silent, p.period * u.silent_periods, u.silent)) AS silent
    FROM sensing_thing t
    JOIN usual u ON u.city = t.city_id
    LEFT JOIN rule r ON r.city = t.city_id AND r.type = t.type
    LEFT JOIN LATERAL (
        SELECT min(d.period) AS period FROM sensing_datastream d WHERE r.type IS NULL AND d.thing_id = t.id AND d.period > 0
    ) p ON true
    WHERE t.id >= %(first)s AND t.id < %(after)s
), judged AS (
    SELECT *, CASE
        WHEN retired_at IS NOT NULL THEN 'retired'
        WHEN state = 'faulty' THEN 'faulty'
        WHEN last_seen IS NULL THEN 'new'
        WHEN last_seen <= %(now)s::timestamptz - silent THEN 'silent'
        WHEN last_seen <= %(now)s::timestamptz - late THEN 'late'
        ELSE 'live' END AS found
    FROM seen
)"""
_JUDGE: Final = f"""{_JUDGED}, held AS MATERIALIZED (
    SELECT t.id, j.found, j.state AS was FROM sensing_thing t JOIN judged j ON j.id = t.id
    WHERE j.found <> j.state AND t.state = j.state AND t.last_seen IS NOT DISTINCT FROM j.last_seen
        AND t.retired_at IS NOT DISTINCT FROM j.retired_at
    ORDER BY t.id FOR NO KEY UPDATE OF t
), changed AS (
    UPDATE sensing_thing t SET state = h.found, state_at = %(now)s FROM held h WHERE t.id = h.id
    RETURNING t.id, h.found, h.was
), told AS (
    INSERT INTO sensing_thingchange (thing_id, at, act, was, state, why, facts, told)
    SELECT id, %(now)s, 'state', was, found, '', '{{}}', NOT (found = 'silent' OR was IN ('silent', 'faulty'))
    FROM changed WHERE found = 'silent' OR was IN ('silent', 'new')
), standing AS (
    SELECT j.city_id, j.type, j.division, coalesce(c.found, j.state) AS state, count(*)::int AS n, min(CASE
        coalesce(c.found, j.state) WHEN 'live' THEN j.last_seen + j.late WHEN 'late' THEN j.last_seen + j.silent END) AS due
    FROM judged j LEFT JOIN changed c ON c.id = j.id GROUP BY 1, 2, 3, 4
), kept AS (
    INSERT INTO sensing_tally AS y (slice, city_id, type, division, state, n)
    SELECT %(slice)s, city_id, type, division, state, n FROM standing
    ON CONFLICT (slice, city_id, type, division, state) DO UPDATE SET n = excluded.n WHERE y.n <> excluded.n
), gone AS (
    DELETE FROM sensing_tally y WHERE y.slice = %(slice)s AND NOT EXISTS (
        SELECT FROM standing s
        WHERE (s.city_id, s.type, s.division, s.state) = (y.city_id, y.type, y.division, y.state))
), next AS (
    UPDATE sensing_slice SET judged_at = %(now)s,
        due_at = least(greatest(coalesce((SELECT min(due) FROM standing), %(longest)s), %(now)s + interval '1 s'), %(longest)s)
    WHERE id = %(slice)s
)
SELECT count(*) FROM changed
"""  # noqa: S608
_UNWELL: Final = ("new", "late", "silent")
_asked: dict[str, int] = {}  # the last Thing of each of these states that this process has asked


def tick(now: datetime, budget: float = BUDGET) -> int:
    """Judge the slices that are due; how many Things changed. Any number of workers may do so at once."""
    began, changed = time.monotonic(), 0
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, [now])
    _spoken(now)
    said = _rules()
    while (found := _one(now, said)) is not None:
        changed += found
        if time.monotonic() - began > budget:
            break
    return changed


def _spoken(now: datetime) -> None:
    """Have those slices judged in which a Thing that was not well has spoken. Many such Things are asked in turns."""
    for state in _UNWELL:
        first = _asked.get(state, 0)
        for after in (first, 0) if first else (0,):
            with connection.cursor() as cursor:
                cursor.execute(_SPOKEN, {"state": state, "after": after, "most": UNWELL, "now": now})
                count, last = cursor.fetchone()
            _asked[state] = last if count == UNWELL else 0
            if _asked[state]:
                break


def _one(now: datetime, said: Mapping[str, list[Any]]) -> int | None:
    """Judge the slice that has waited longest; None when none is due, or others are at them."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TAKE, [now])
        row = cursor.fetchone()
        return None if row is None else _judge(row[0], now, said)


def _judge(slice: int, now: datetime, said: Mapping[str, list[Any]]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            _JUDGE,
            {
                **said, "slice": slice, "first": slice << BITS, "after": (slice + 1) << BITS, "now": now,
                "longest": now + LONGEST,
            },
        )  # fmt: skip
        return int(cursor.fetchone()[0])


def _rules() -> dict[str, list[Any]]:
    """The rules of all cities as columns."""
    said = kinds.of_cities(list(City.objects.values_list("pk", flat=True)))
    usual = [
        (c, k.default.late_periods, k.default.silent_periods, k.default.late, k.default.silent) for c, k in said.items()
    ]
    rules = [(city, each.code, each.late, each.silent) for city, k in said.items() for each in k.types.values()]
    names = ("cities", "late_periods", "silent_periods", "lates", "silents")
    more = ("rule_cities", "rule_types", "rule_lates", "rule_silents")
    return {name: [row[i] for row in usual] for i, name in enumerate(names)} | {
        name: [row[i] for row in rules] for i, name in enumerate(more)
    }


def judge_now(things: Iterable[int], now: datetime) -> None:
    """Judge the slices of a few Things at once, in the caller's transaction: what a person has changed shows."""
    said = _rules()
    for number in sorted({thing >> BITS for thing in things}):
        Slice.objects.get_or_create(id=number, defaults={"due_at": now})
        Slice.objects.select_for_update().get(id=number)
        _judge(number, now, said)


def soon(things: Collection[int], now: datetime) -> None:
    """Have the slices of Things judged with the next tick. Before the Things are locked: whoever judges does it in this order."""
    numbers = {thing >> BITS for thing in things}
    held = list(Slice.objects.select_for_update().filter(id__in=numbers).order_by("id").values_list("id", flat=True))
    Slice.objects.filter(id__in=held).update(due_at=now)


_MARK: Final = """
WITH held AS MATERIALIZED (
    SELECT id, state FROM sensing_thing WHERE id = ANY(%(things)s) AND {which} ORDER BY id FOR NO KEY UPDATE
), changed AS (
    UPDATE sensing_thing t SET state = {state}, state_at = %(at)s FROM held h WHERE t.id = h.id RETURNING t.id, t.state
)
INSERT INTO sensing_thingchange (thing_id, at, act, was, state, why, facts, told, account_id)
SELECT c.id, %(at)s, %(act)s, h.state, c.state, %(why)s, '{{}}', false, %(account)s FROM changed c JOIN held h ON h.id = c.id
"""
_FAULTY: Final = _MARK.format(which="retired_at IS NULL AND state <> 'faulty'", state="'faulty'")
_MENDED: Final = _MARK.format(
    which="state = 'faulty'", state="CASE WHEN t.last_seen IS NULL THEN 'new' ELSE 'live' END"
)


def mark_faulty(things: Collection[int], *, at: datetime, why: str) -> int:
    """Say of Things that what they tell cannot be right (a flat line, a jump, a drift); how many were well before.

    For detectors, within their transaction. A Thing stays faulty, whatever it sends, until whoever marked it says that it is
    well (`mark_mended`), its maintenance case is closed, or a person says so. Each becomes a maintenance case once.
    """
    return _mark(_FAULTY, "faulty", things, at, why)


def mark_mended(things: Collection[int], *, at: datetime, why: str, account: int | None = None) -> int:
    """Say of faulty Things that they are well again; from then on they are judged by when they speak."""
    return _mark(_MENDED, "mended", things, at, why, account)


def _mark(statement: str, act: str, things: Collection[int], at: datetime, why: str, account: int | None = None) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        soon(things, at)
        values: dict[str, Any] = {"things": sorted(things), "at": at, "why": why, "act": act, "account": account}
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def forget() -> None:
    """Begin anew with the Things that are not well."""
    _asked.clear()
