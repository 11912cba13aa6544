"""Random histories that follow the move table of the town."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Move
from chengshu.cases.rows import History, PastMove
from tests.cases.town import Town

START = datetime(2024, 3, 1, tzinfo=UTC)
SKIPPED = {"merge", "track", "task_done", "last_resort"}


def histories(town: Town, count: int, seed: int, *, kind: str = "urban", longest: int = 14) -> Iterator[History]:
    """`count` histories of at most `longest` moves, each a walk through the move table with random waits."""
    rnd, known = Random(seed), catalog(town.city.pk)
    for number in range(count):
        opened = START + timedelta(minutes=rnd.randrange(90 * 24 * 60))
        yield History(
            origin="test", origin_key=f"{seed}-{number}", title=f"case {number}", opened_at=opened,
            type=rnd.choice([kind, f"{kind}-plain", f"{kind}-free", None]), kind=kind,
            division=rnd.choice(["A1g", "A2g", "B1g", "B2", "A", "T"]), place_text="a\tb\\c",
            due_at=opened + timedelta(days=3) if rnd.random() < 0.3 else None,
            moves=tuple(_walk(town, known, rnd, kind, opened, rnd.randrange(longest + 1))),
        )  # fmt: skip


def _walk(town: Town, known: Catalog, rnd: Random, kind: str, at: datetime, length: int) -> Iterator[PastMove]:
    pk = known.kind(kind).pk
    state = known.opening_moves[pk].to_state_id
    # One person makes all moves that ask for somebody else than whoever made an earlier one, and no others.
    apart = town.people["leader"].account
    accounts = [principal.account for principal in town.people.values() if principal.account != apart]
    for _ in range(length):
        moves = [move for move in known.moves_from(pk, state) if move.code not in SKIPPED]
        if not moves:
            return
        move = rnd.choice([m for m in moves if m.from_state_id != m.to_state_id] * 2 + moves)
        at += timedelta(minutes=rnd.choice([0, 5, 60, 600, 3000]))
        yield _past(move, at, rnd, apart if move.not_who else rnd.choice([*accounts, None]))
        state = move.to_state_id


def _past(move: Move, at: datetime, rnd: Random, account: int | None) -> PastMove:
    facts: dict[str, object] = {}
    if "rating" in move.needs:
        facts["rating"] = rnd.randrange(1, 6)
    if "until" in move.needs:
        facts["until"] = (at + timedelta(days=rnd.randrange(1, 9))).isoformat()
    if "escalate" in move.does:
        facts["level"] = rnd.randrange(1, 4)
    unit = rnd.choice(["U1", "U2", "C"]) if "unit" in move.needs else None
    return PastMove(move=move.code, at=at, unit=unit, note="because so", account=account, facts=facts)
