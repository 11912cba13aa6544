"""One thing: how it is doing and why, what it says, where it stands, what happened to it, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.contrib import messages
from django.db import connection
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from markupsafe import Markup

from chengshu.brain import upkeep
from chengshu.cases.models import Case
from chengshu.cases.visibility import visible
from chengshu.core.errors import ChengshuError, Invalid
from chengshu.parties.roles import STAFF
from chengshu.sensing import things
from chengshu.sensing.kinds import ThingType
from chengshu.sensing.models import Datastream, Thing, ThingChange
from chengshu.web.admin.frame import Wrong
from chengshu.web.pages import Request, page, respond, text
from chengshu.web.things import chart
from chengshu.web.things.register import labels
from chengshu.web.things.words import Labels

STREAMS: Final = 100
NEWEST: Final = 30
LONGEST: Final = 80  # characters of a result that is no number
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """A datastream with its last result in words; `chosen` is the one drawn."""

    stream: Datastream
    result: str
    unit: str
    chosen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ThingPage:
    """A thing. `cases` are those of its maintenance that this person sees; `values` what the form of corrections holds."""

    thing: Thing
    labels: Labels
    type: ThingType | None
    streams: Sequence[Stream]
    drawing: Markup | None
    cases: Sequence[Case]
    changes: Sequence[ThingChange]
    types: Sequence[tuple[str, str]]
    values: Mapping[str, str]
    reports: bool
    keeps: bool
    wrong: Wrong


@page(roles=STAFF)
def show(request: Request, id: int) -> HttpResponse:
    """The page."""
    thing = things.one(request.principal, id)
    return respond(request, "things/thing.html", _page(request, thing))


def _page(
    request: Request, thing: Thing, wrong: Wrong | None = None, sent: Mapping[str, str] | None = None
) -> ThingPage:
    words = labels(request)
    streams = _streams(thing, text(request, "stream", 18))
    drawn = next((each for each in streams if each.chosen), None)
    mine = visible(request.principal).filter(scene=upkeep.SCENE, number__in=upkeep.numbers(thing.pk))
    return ThingPage(
        thing=thing,
        labels=words,
        type=words.kinds.types.get(thing.type),
        streams=streams,
        drawing=_drawing(drawn, words) if drawn else None,
        cases=list(mine.select_related("state", "type", "unit").order_by("-opened_at")[:NEWEST]),
        changes=list(ThingChange.objects.filter(thing=thing).select_related("account").order_by("-pk")[:NEWEST]),
        types=sorted((code, words.type(code)) for code in {*words.kinds.types, thing.type} - {""}),
        values={"type": thing.type, "owner": _code(thing.owner), "duty": _code(thing.duty), "why": "", **(sent or {})},
        reports=request.principal.role in upkeep.REPORTS,
        keeps=things.keeps(request.principal),
        wrong=wrong or Wrong(),
    )


def _code(department: object) -> str:
    return str(getattr(department, "code", ""))


def _streams(thing: Thing, chosen: str) -> list[Stream]:
    """Its datastreams by name; drawn is the one asked for, else the first that gives numbers."""
    rows = list(
        Datastream.objects.filter(thing=thing).select_related("observed_property").order_by("name", "pk")[:STREAMS]
    )
    said = _in_words([row for row in rows if row.last_result is None and row.last_start is not None])
    numbers = [str(row.pk) for row in rows if row.last_result is not None]
    drawn = chosen if chosen in numbers else next(iter(numbers), "")
    return [
        Stream(stream=row, result=_result(row, said), unit=unit_of(row), chosen=str(row.pk) == drawn) for row in rows
    ]


def unit_of(stream: Datastream) -> str:
    """The unit as its source writes it, else in UCUM."""
    unit = stream.unit_of_measurement if isinstance(stream.unit_of_measurement, dict) else {}
    return str(unit.get("symbol") or stream.ucum or "")


def _result(stream: Datastream, said: Mapping[int, str]) -> str:
    return f"{stream.last_result:.6g}" if stream.last_result is not None else said.get(stream.pk, "")[:LONGEST]


def _in_words(streams: Sequence[Datastream]) -> dict[int, str]:
    """The last results that are no numbers, as JSON, of the days that are hot."""
    if not streams:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.datastream, o.other::text FROM unnest(%s::bigint[], %s::timestamptz[]) AS u (datastream, at)"
            " JOIN sensing_observation o ON o.datastream = u.datastream AND o.at = u.at",
            [[each.pk for each in streams], [each.last_start for each in streams]],
        )
        return {pk: other.strip('"') for pk, other in cursor.fetchall() if other}


def _drawing(drawn: Stream, words: Labels) -> Markup | None:
    """The day before its last result, which may lie in the past."""
    last = drawn.stream.last_start
    return chart.day(drawn.stream, drawn.unit, last - DAY, last, words.known.zone) if last is not None else None


@page("POST", roles=STAFF)
def act(request: Request, id: int) -> HttpResponse:
    """Open a maintenance case, correct what the register says, put out of use or into it, or say that it is well."""
    thing = things.one(request.principal, id)
    wanted, why, now = text(request, "do", 10), text(request, "why", 500), datetime.now(UTC)
    given = {name: text(request, name, 100) for name in ("type", "owner", "duty") if name in request.POST}
    try:
        said = _do(request, thing, wanted, why, given, now)
    except ChengshuError as error:
        if error.status != Invalid.status:
            raise
        sent = {**given, "why": why}
        return respond(request, "things/thing.html", _page(request, thing, Wrong.of(error), sent), status=error.status)
    messages.success(request, said)
    return HttpResponseRedirect(reverse("thing", args=[id]))


def _do(request: Request, thing: Thing, wanted: str, why: str, given: Mapping[str, str], now: datetime) -> str:
    who = request.principal
    match wanted:
        case "upkeep":
            if len(why) < things.SHORTEST_WHY:
                raise Invalid(_("Say what is wrong with it."), where="why", remedy=_("A few words will do."))
            verdict = upkeep.open_case(who, thing, why, now)
            return _("It is told to case %(number)s.") % {"number": verdict.number}
        case "retire":
            things.retire(who, thing.pk, why=why, at=now)
            return _("It is out of use from now on.")
        case "return":
            things.put_back(who, thing.pk, why=why, at=now)
            return _("It is in use again.")
        case "mended":
            things.mended(who, thing.pk, why=why, at=now)
            return _("It counts as well from now on.")
        case "correct":
            changed = things.correct(who, thing.pk, given, why=why, at=now)
            return _("Saved.") if changed else _("Nothing has changed.")
    raise Invalid(_("There is no such act."), where=wanted, remedy=_("Use the buttons of the page."))
