"""What follows from a step, a report or a clock: notices to those who must act, and a tracker for urgent cases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case, Outbox, Task
from chengshu.cases.records import MoveRequest
from chengshu.cases.spoiled import work_off
from chengshu.live.announce import announce
from chengshu.parties.models import Notice, Post
from chengshu.parties.notices import Told, give
from chengshu.parties.principal import system
from chengshu.parties.roles import Role

BATCH = 200
ORPHANED = "orphaned"  # topic of open cases whose unit was retired
FAILED = "failed"  # topic of rows that could not be worked off; `chengshu check` tells of them


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A notice to be written: to whom, about what."""

    account: int
    kind: str
    case: UUID
    params: dict[str, Any]
    at: datetime


def waiting() -> bool:
    """Whether anything is to be worked off: a glance, much cheaper than an empty batch."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM cases_outbox WHERE topic <> %s)", [FAILED])
        return bool(cursor.fetchone() == (True,))


def drain() -> int:
    """Work off one batch of the outbox; how many rows. Notices and the removal of the rows commit together."""
    with transaction.atomic():
        waiting = Outbox.objects.exclude(topic=FAILED).select_for_update(skip_locked=True)
        rows = list(waiting.order_by("pk")[:BATCH])
        if rows:
            work_off(rows, _handle, _set_aside)
        return len(rows)


def _set_aside(row: Outbox, error: str) -> None:
    facts = {**row.facts, "topic": row.topic, "error": error}
    Outbox.objects.filter(pk=row.pk).update(topic=FAILED, facts=facts)


def _handle(rows: Sequence[Outbox]) -> None:
    cases = Case.objects.select_related("kind").in_bulk({row.case for row in rows})
    handlers = _handlers(cases.values())
    told = []
    for row in rows:
        if case := cases.get(row.case):
            for message in _messages(catalog(case.kind.city_id), case, row, handlers.get(case.pk, set())):
                told.append(_told(row, case, message))
    give(told)
    Outbox.objects.filter(pk__in=[row.pk for row in rows]).delete()
    announce(cases=cases)
    _track({case.pk: case for row in rows if (case := cases.get(row.case)) and row.topic != "clock"}.values())


def _handlers(cases: Collection[Case]) -> dict[UUID, set[int]]:
    """For each open case those who handle for the units that have an open task in it, asked for a whole batch at once."""
    units: dict[UUID, set[int]] = {}
    tasks = Task.objects.filter(state="open", case__in=[case.pk for case in cases if case.closed_at is None])
    for case, unit in tasks.values_list("case_id", "unit_id"):
        units.setdefault(case, set()).add(unit)
    wanted = {unit for own in units.values() for unit in own}
    people: dict[int, set[int]] = {}
    for city in {case.kind.city_id for case in cases} if wanted else ():
        posts = _valid(catalog(city)).filter(role=Role.HANDLER, department__in=wanted, department__city=city)
        for post in posts:
            people.setdefault(post.department_id or 0, set()).add(post.account_id)
    return {case: {who for unit in own for who in people.get(unit, ())} for case, own in units.items()}


def _told(row: Outbox, case: Case, message: Message) -> Told:
    notice = Notice(
        account_id=message.account, key=f"{row.topic}:{row.pk}", kind=message.kind, case=message.case,
        params=message.params, at=message.at,
    )  # fmt: skip
    known = catalog(case.kind.city_id)
    type = known.types.get(case.type_id or 0)
    urgent = case.severity == 1 or (type is not None and type.urgent)
    return Told(notice=notice, city=known.city.pk, zone=known.zone, urgent=urgent and message.kind != "closed")


def _messages(known: Catalog, case: Case, row: Outbox, handlers: set[int]) -> Iterable[Message]:
    kind, accounts = _addressees(known, case, row, handlers)
    due = {"due": case.due_at.isoformat()} if case.due_at and case.closed_at is None else {}
    params = {"number": case.number, "title": case.title, **due, **row.facts}
    return [Message(account=a, kind=kind, case=case.pk, params=params, at=row.at) for a in sorted(accounts)]


def _addressees(known: Catalog, case: Case, row: Outbox, handlers: set[int]) -> tuple[str, set[int]]:
    """The kind of the notice and the accounts it goes to."""
    match row.topic:
        case "clock" if row.facts["event"].startswith("escalate"):
            return "escalated", _by_roles(known, case, row.facts["notify"], row.facts["at"])
        case "clock":
            return row.facts["event"], handlers | _one(case.tracker_id)
        case "step" if row.facts["move"] in {
            "dispatch",
            "assign",
            "last_resort",
            "rework",
            "split",
            "urge",
            "supervise",
        }:
            return row.facts["move"], handlers | _one(case.tracker_id)
        case topic if topic == ORPHANED:
            return ORPHANED, _by_roles(known, case, [Role.DISPATCHER], "district")
        case "step" if row.facts["move"] == "track":
            return "track", _one(case.tracker_id)
        case "step" if row.facts.get("ended"):
            return "closed", _one(case.reporter_id)
        case _:
            return "", set()


def _one(account: int | None) -> set[int]:
    return {account} if account else set()


def _by_roles(known: Catalog, case: Case, roles: Sequence[str], at: str) -> set[int]:
    """Those who hold the roles for the case's place, at the level asked for or the nearest above that has any."""
    if at == "unit" and case.unit_id is not None:
        return set(_valid(known).filter(role__in=roles, department=case.unit_id).values_list("account_id", flat=True))
    levels = {pk: known.divisions[pk].level for pk in case.places if pk in known.divisions}
    wanted = {"city": 1, "district": 2, "street": 3}.get(at, 1)
    for level in range(wanted, 0, -1):
        places = [pk for pk, own in levels.items() if own == level]
        if found := set(_valid(known).filter(role__in=roles, division__in=places).values_list("account_id", flat=True)):
            return found
    return set()


def _valid(known: Catalog) -> QuerySet[Post]:
    """The posts held today, by the city's day."""
    today = datetime.now(known.zone).date()
    return Post.objects.filter(
        Q(valid_from=None) | Q(valid_from__lte=today), Q(valid_to=None) | Q(valid_to__gt=today), account__is_active=True
    )


def _track(cases: Iterable[Case]) -> None:
    """Give urgent open cases without a tracker a named person, by the city's rule."""
    for case in cases:
        known = catalog(case.kind.city_id)
        type = known.types.get(case.type_id or 0)
        if type and type.urgent and case.tracker_id is None and case.closed_at is None:
            role = known.parts["escalation"].get("urgent_tracker")
            people = sorted(_by_roles(known, case, [role], "district")) if role else []
            if people:
                tracker = people[case.pk.int % len(people)]
                # On the version read here: of two workers one names the person, the other finds it done.
                request = MoveRequest(case=case.pk, version=case.version, move="track", tracker=tracker)
                advance([request], actor=system(known.city.pk, known.root))
