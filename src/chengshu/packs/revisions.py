"""What was changed, when, by whom and why: one revision for each act, with every row before and after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from chengshu.packs.living import PACK, Living
from chengshu.packs.models import Alteration, Revision
from chengshu.packs.plan import PARTS, Action, Change, Plan
from chengshu.packs.records import Row
from chengshu.parties.principal import Principal
from chengshu.places.models import City, Part

EDIT, RETURN, UPLOAD = "edit", "return", "upload"
GONE = frozenset({Action.RETIRE, Action.REMOVE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Author:
    """Who changes the configuration, in which post, how and why; a pack on the command line has no account."""

    account: int | None = None
    post: int | None = None
    username: str = ""
    how: str = PACK
    why: str = ""

    @classmethod
    def of(cls, principal: Principal, why: str, how: str = EDIT) -> Author:
        return cls(
            account=principal.account, post=principal.post, username=principal.username, how=how, why=why.strip()
        )


def note(city: City, plan: Plan, living: Living, author: Author) -> Revision | None:
    """Keep what a plan changed. Of a first load only the numbers are kept: the pack itself tells the rest."""
    made = [change for change in plan.changes if change.action is not Action.KEEP]
    if not made:
        return None
    counts = {f"{table} {action}": n for (table, action), n in plan.counts().items() if action is not Action.KEEP}
    revision = _revision(city, author, counts)
    if not plan.first:
        Alteration.objects.bulk_create(_alteration(revision, change, living) for change in made)
    return revision


def note_part(city: City, author: Author, part: Part, before: int) -> Revision:
    """Keep that a part has a new version, where it was written by another door: the table of dispatch rules."""
    revision = _revision(city, author, {f"{PARTS} {Action.CHANGE}": 1})
    Alteration.objects.create(
        revision=revision, city=city, table=PARTS, key=part.name, action=Action.CHANGE,
        before={"version": before} if before else None, after={"version": part.version},
    )  # fmt: skip
    return revision


def _revision(city: City, author: Author, counts: Mapping[str, int]) -> Revision:
    return Revision.objects.create(
        city=city, version=city.version, at=datetime.now(UTC), account_id=author.account, post_id=author.post,
        how=author.how, why=author.why, counts=counts,
    )  # fmt: skip


def _alteration(revision: Revision, change: Change, living: Living) -> Alteration:
    before, after = _before(change, living), _after(change, living)
    return Alteration(
        revision=revision, city_id=revision.city_id, table=change.table, key=change.key, action=change.action,
        before=before, after=None if change.action in GONE else after,
    )  # fmt: skip


def _before(change: Change, living: Living) -> dict[str, Any] | None:
    if change.table == PARTS:
        part = living.parts.get(change.key)
        return {"version": part.version} if part else None
    row = living.row if change.table == "city" else living.rows.get(change.table, {}).get(change.key)
    return facts(row) if row else None


def _after(change: Change, living: Living) -> dict[str, Any] | None:
    if change.table == PARTS:
        part = living.parts.get(change.key)
        return {"version": part.version + 1 if part else 1}
    return facts(change.row) if change.row else None


def facts(row: Row) -> dict[str, Any]:
    """The facts of a row as JSON. An outline is told by the digest of its bytes."""
    plain: dict[str, Any] = json.loads(json.dumps(row.facts(), default=_plain))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"sha256:{hashlib.sha256(value).hexdigest()} ({len(value)} bytes)"
    return dict(value) if isinstance(value, Mapping) else str(value)


def fingerprint(row: Row | None) -> str:
    """A short word for the facts of a row: a form carries it, to see whether the row changed meanwhile."""
    text = json.dumps(facts(row), sort_keys=True, ensure_ascii=False) if row else ""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_row(city: int, table: str, key: str) -> list[Alteration]:
    """The changes of one row, newest first."""
    found = Alteration.objects.filter(city=city, table=table, key=key)
    return list(found.select_related("revision__account", "revision__post").order_by("-pk"))


def of_life(city: int, kind: str) -> list[Alteration]:
    """The changes of a kind of case, its states and its moves, newest first."""
    own = Q(table="kinds", key=kind) | Q(table__in=("states", "moves"), key__startswith=f"{kind}/")
    found = Alteration.objects.filter(own, city=city)
    return list(found.select_related("revision__account", "revision__post").order_by("-pk"))


def last_by(city: int, table: str, key: str) -> str:
    """Who changed a row, or anything of a kind of case, last; empty for the pack."""
    found = of_life(city, key)[:1] if table == "kinds" else of_row(city, table, key)[:1]
    return next((a.revision.account.name for a in found if a.revision.account), "")


def latest(city: int, *, table: str = "", account: int | None = None, most: int = 100) -> list[Revision]:
    """The revisions of a city, newest first."""
    found = Revision.objects.filter(city=city).select_related("account", "post__department", "post__division")
    if table:
        found = found.filter(pk__in=Alteration.objects.filter(city=city, table=table).values("revision"))
    if account:
        found = found.filter(account=account)
    return list(found.order_by("-pk")[:most])


def alterations(revision: Revision, most: int = 500) -> list[Alteration]:
    """The rows that a revision changed."""
    rows: Iterable[Alteration] = revision.alterations.order_by("pk")[:most]
    return list(rows)
