"""Maintenance cases: whatever falls silent or faulty is somebody's to mend, once, and an outage is one case and not a flood.

Every change of state that matters waits in the register (`ThingChange.told`) and is told in the transaction that reports it:
after a crash it waits still. A Thing that falls silent is given the span of an outage: if by then many of its owner and type are
silent too, a gateway or a network is gone, and they share a case. What recovers is told to its case, which a person closes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from chengshu.brain import upkeep_words as words
from chengshu.brain.models import Upkeep
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.dispatch import find_unit
from chengshu.cases.models import Case
from chengshu.cases.records import NewReport, Verdict
from chengshu.cases.report import report
from chengshu.cases.visibility import visible
from chengshu.core.errors import ChengshuError, NotAllowed
from chengshu.logs import get_logger
from chengshu.parties.principal import Principal, system
from chengshu.parties.roles import MAY_REPORT, STAFF
from chengshu.places.models import City
from chengshu.sensing import kinds, liveness
from chengshu.sensing.kinds import Kinds
from chengshu.sensing.models import Thing, ThingChange
from chengshu.sensing.scope import read_scope

log = get_logger(__name__)
SCENE: Final = "upkeep"  # of the cases; also the origin of their reports
LOCK: Final = 0x7570_6B65  # "upke": one worker at a time
BATCH: Final = 250  # Things told of one by one in a tick
MANY: Final = 5_000  # that recovered
REPORTS: Final = MAY_REPORT & STAFF
_GROUPS: Final = """
SELECT t.city_id, t.owner_id, t.type, min(c.at), count(*)
FROM sensing_thingchange c JOIN sensing_thing t ON t.id = c.thing_id
WHERE NOT c.told AND c.state = 'silent' GROUP BY 1, 2, 3 ORDER BY 4
"""
_TOGETHER: Final = """
SELECT DISTINCT ON (c.thing_id) c.thing_id, c.at
FROM sensing_thingchange c JOIN sensing_thing t ON t.id = c.thing_id
WHERE NOT c.told AND c.state = 'silent' AND c.at <= %(until)s
    AND t.city_id = %(city)s AND t.owner_id IS NOT DISTINCT FROM %(owner)s AND t.type = %(type)s
ORDER BY c.thing_id, c.at DESC
"""
_MEMBERS: Final = f"""
INSERT INTO brain_upkeep (thing_id, case_id, since) SELECT thing_id, %(case)s, at FROM ({_TOGETHER}) together
ON CONFLICT (thing_id, case_id) DO UPDATE SET since = excluded.since, ended_at = NULL
"""  # noqa: S608
_TELL: Final = f"""
UPDATE sensing_thingchange SET told = true
WHERE NOT told AND state = 'silent' AND at <= %(until)s AND thing_id IN (SELECT thing_id FROM ({_TOGETHER}) together)
"""  # noqa: S608
_PASSED: Final = """
UPDATE sensing_thingchange c SET told = true FROM sensing_thing t
WHERE NOT c.told AND c.state IN ('silent', 'faulty') AND t.id = c.thing_id AND t.state <> c.state
"""
_CLOSED: Final = """
UPDATE brain_upkeep u SET ended_at = %s FROM cases_case c
WHERE u.ended_at IS NULL AND c.id = u.case_id AND c.closed_at IS NOT NULL
RETURNING (SELECT city_id FROM sensing_thing t WHERE t.id = u.thing_id), u.thing_id
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Things of one owner and type that wait: since when the first of them is silent, and how many."""

    city: int
    owner: int | None
    type: str
    since: datetime
    count: int


def tick(now: datetime) -> int:
    """Tell what waits; how many reports were made. Where several workers come at once, one does it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
        _closed(now)
        told = _recovered(now)
        cursor.execute(_PASSED)  # well again before anybody was told: nothing to mend
        said = kinds.of_cities(list(City.objects.values_list("pk", flat=True)))
        return told + _outages(now, said) + _singles(now, said)


def _closed(now: datetime) -> None:
    """A case that ended is about nothing any more; what was faulty is then judged anew."""
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED, [now])
        things: dict[int, list[int]] = {}
        for city, thing in cursor.fetchall():
            things.setdefault(city, []).append(thing)
    for city, own in things.items():
        with translation.override(catalog(city).city.language):
            why = _("Its maintenance case has ended.")
        liveness.mark_mended(own, at=now, why=why)


def _recovered(now: datetime) -> int:
    """Tell the open cases of what is well again, or retired: one report for each case."""
    waiting = ThingChange.objects.filter(told=False, was__in=("silent", "faulty"))
    rows = list(waiting.exclude(state__in=("silent", "faulty")).order_by("at").values_list("pk", "thing")[:MANY])
    things = {thing for _pk, thing in rows}
    running = Upkeep.objects.filter(thing__in=things, ended_at=None)
    cases = Case.objects.select_for_update(of=["self"]).filter(pk__in=running.values("case"), closed_at=None)
    told = 0
    for case in cases.order_by("pk"):
        told += _well_again(case, running.filter(case=case), now)
    running.update(ended_at=now)
    ThingChange.objects.filter(pk__in=[pk for pk, _thing in rows]).update(told=True)
    return told


def _well_again(case: Case, running: Any, now: datetime) -> int:
    things = list(Thing.objects.filter(pk__in=running.values("thing")).order_by("pk"))
    known = catalog(case.kind.city_id)
    with translation.override(known.city.language):
        title = words.well_again(things)
    new = NewReport(
        origin=SCENE, origin_key=f"{known.city.name}/{case.number}@{now.isoformat()}", kind=case.kind.code,
        type=case.type.code if case.type else None, title=title, occurred_at=now, source="sensing", scene=case.scene,
        key=case.key, payload={"title": title, "things": [thing.pk for thing in things[:BATCH]]},
    )  # fmt: skip
    return len(_report([new], known, now))


def _outages(now: datetime, said: dict[int, Kinds]) -> int:
    """Many of one owner and type: one case, which those that follow soon after join."""
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS)
        groups = [Group(city=c, owner=o, type=t, since=s, count=n) for c, o, t, s, n in cursor.fetchall()]
    return sum(_outage(group, said[group.city], now) for group in groups)


def _outage(group: Group, said: Kinds, now: datetime) -> int:
    known, span = catalog(group.city), timedelta(seconds=said.outage.within)
    key = f"{known.city.name}/outage/{group.owner or 0}/{group.type}"
    running = Case.objects.filter(scene=SCENE, key=key, closed_at=None, opened_at__gte=now - span).exists()
    until = now if running else group.since + span
    asked = {"city": group.city, "owner": group.owner, "type": group.type, "until": until}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT thing_id FROM ({_TOGETHER}) together", asked)  # noqa: S608 - a constant
        things = [row[0] for row in cursor.fetchall()]
        if not _fits(known, said, group.type) or not (running or len(things) >= said.outage.things):
            return 0
        [verdict] = _report([_of_group(known, said, group, key, things, now)], known, now) or [None]
        if verdict is not None:
            cursor.execute(_MEMBERS, {**asked, "case": verdict.case})
        cursor.execute(_TELL, asked)
    return 1


def _fits(known: Catalog, said: Kinds, type: str) -> bool:
    """Whether the city has the case type by which a type of Things is mended."""
    found = known.type_codes.get(said.case_type(type))
    return found is not None and found.active


def _of_group(known: Catalog, said: Kinds, group: Group, key: str, things: Sequence[int], now: datetime) -> NewReport:
    rows = Thing.objects.filter(pk__in=things)
    places = _common(rows.values_list("places", flat=True))
    first = list(rows.select_related("owner", "duty").order_by("pk")[: words.NAMED])
    with translation.override(known.city.language):
        title = words.outage(len(things), said.types.get(group.type), first[0].owner)
        about = words.named(first, len(things))
    return NewReport(
        origin=SCENE, origin_key=f"{key}@{group.since.isoformat()}/{now.isoformat()}", type=said.case_type(group.type),
        title=title, description=about, severity=2, occurred_at=group.since, source="sensing", scene=SCENE, key=key,
        division=_division(known, places), unit=_unit(known, said, first[0], places),
        payload={"title": title, "count": len(things), "type": group.type, "since": group.since.isoformat()},
    )  # fmt: skip


def _common(all_places: Iterable[Sequence[int]]) -> list[int]:
    """The divisions that hold all of them, from the city down."""
    found: list[int] | None = None
    for places in all_places:
        kept = list(places) if found is None else found
        found = kept[: next((i for i, (a, b) in enumerate(zip(kept, places, strict=False)) if a != b), len(places))]
    return found or []


def _singles(now: datetime, said: dict[int, Kinds]) -> int:
    """What is faulty, and what is silent for longer than the span of an outage: a case each."""
    told = 0
    for city, own in said.items():
        waiting = ThingChange.objects.filter(told=False, thing__city=city, state__in=("silent", "faulty"))
        old = waiting.exclude(state="silent", at__gt=now - timedelta(seconds=own.outage.within))
        rows = list(old.select_related("thing__owner", "thing__duty").order_by("at")[:BATCH])
        told += _cases_of(catalog(city), own, rows, now) if rows else 0
    return told


def _cases_of(known: Catalog, said: Kinds, rows: Sequence[ThingChange], now: datetime) -> int:
    fitting = [row for row in rows if _fits(known, said, row.thing.type)]
    if len(fitting) < len(rows):
        log.warning("upkeep.no_case_type", city=known.city.name, things=len(rows) - len(fitting))
    reports = [_of_one(known, said, row) for row in fitting]
    _keep(fitting, _report(reports, known, now))
    ThingChange.objects.filter(pk__in=[row.pk for row in rows]).update(told=True)
    return len(fitting)


def _of_one(known: Catalog, said: Kinds, change: ThingChange) -> NewReport:
    thing = change.thing
    type = said.types.get(thing.type)
    with translation.override(known.city.language):
        title = words.title(thing, type, change.state)
        about = words.about(thing, type, change.why, known.zone)
    return NewReport(
        origin=SCENE, origin_key=f"{known.city.name}/{thing.pk}@{change.pk}", type=said.case_type(thing.type), title=title,
        description=about, occurred_at=change.at, source="sensing", scene=SCENE, key=f"{known.city.name}/{thing.pk}",
        place_text=thing.name[:500], lon=thing.lon, lat=thing.lat, division=_division(known, thing.places),
        unit=_unit(known, said, thing, thing.places), payload={"title": title, **words.facts(thing, change)},
    )  # fmt: skip


def _division(known: Catalog, places: Sequence[int]) -> str:
    inside = [known.divisions[pk] for pk in places if pk in known.divisions]
    return (inside[-1] if inside else known.divisions[known.root]).code


def _unit(known: Catalog, said: Kinds, thing: Thing, places: Sequence[int]) -> str | None:
    """Who mends it: its duty unit, else the department of its type's function nearest around; None leaves it to people."""
    if thing.duty is not None and thing.duty.active:
        return thing.duty.code
    type = said.types.get(thing.type)
    found = find_unit(known, {"function": type.function}, places) if type and type.function else None
    return found.code if found else None


def _report(new: Sequence[NewReport], known: Catalog, now: datetime) -> list[Verdict | None]:
    """The verdicts; None for a report that is refused by itself, which is logged and keeps nobody else's waiting."""
    actor = system(known.city.pk, known.root)
    try:
        with transaction.atomic():
            return list(report(new, city=known.city.pk, actor=actor, at=now)) if new else []
    except ChengshuError as error:
        if len(new) == 1:
            log.error("upkeep.refused", key=new[0].origin_key, error=str(error))
            return [None]
    return [verdict for one in new for verdict in _report([one], known, now)]


def _keep(rows: Sequence[ThingChange], verdicts: Sequence[Verdict | None]) -> None:
    told = {(row.thing_id, v.case): row.at for row, v in zip(rows, verdicts, strict=True) if v is not None}
    _bind([(thing, case, at) for (thing, case), at in told.items()])


def _bind(rows: Sequence[tuple[int, UUID, datetime]]) -> None:
    Upkeep.objects.bulk_create(
        [Upkeep(thing_id=thing, case_id=case, since=at) for thing, case, at in rows],
        update_conflicts=True, unique_fields=["thing", "case"], update_fields=["since", "ended_at"],
    )  # fmt: skip


def open_case(principal: Principal, thing: Thing, why: str, at: datetime) -> Verdict:
    """A person has a Thing mended: a new case, or word for the one that is open.

    Raises:
        NotAllowed: their post reports nothing, or does not see the Thing.
        Invalid: the city has no case type for it.
    """
    if principal.role not in REPORTS or not Thing.objects.filter(read_scope(principal).q(), pk=thing.pk).exists():
        raise NotAllowed(_("Your post opens no maintenance case."), remedy=_("Tell the dispatcher."))
    known, said = catalog(principal.city), kinds.kinds(principal.city)
    if not _fits(known, said, thing.type):
        raise words.no_case_type(thing.type)
    change = ThingChange(thing=thing, at=at, state="asked", why=why, pk=0)
    new = _of_one(known, said, change)
    with transaction.atomic():
        asked = ThingChange.objects.create(
            thing=thing, at=at, act="asked", state=thing.state, why=why, account_id=principal.account
        )
        [verdict] = report([words.asked(new, asked.pk)], city=principal.city, actor=principal, at=at)
        if verdict.ok:
            _bind([(thing.pk, verdict.case, at)])
    verdict.raise_for_verdict()
    return verdict


def running(principal: Principal, things: Iterable[int]) -> dict[int, list[str]]:
    """The numbers of the open maintenance cases that Things are in, as far as a principal sees them."""
    rows = Upkeep.objects.filter(thing__in=list(things), ended_at=None, case__closed_at=None)
    told = list(rows.order_by("since").values_list("thing", "case", "case__number"))
    mine = (
        set(visible(principal).filter(pk__in={case for _, case, _ in told}).values_list("pk", flat=True))
        if told
        else ()
    )
    found: dict[int, list[str]] = {}
    for thing, case, number in told:
        if case in mine:
            found.setdefault(thing, []).append(number)
    return found


def numbers(thing: int) -> list[str]:
    """The numbers of all cases that a Thing is or was in."""
    return list(Upkeep.objects.filter(thing=thing).values_list("case__number", flat=True))
