"""The city's vital signs: how its things are doing by type and district, what they say, and what is being mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.brain import upkeep
from chengshu.cases.models import Case
from chengshu.cases.visibility import visible
from chengshu.parties.roles import SCOPES, STAFF, Scope
from chengshu.sensing import vitals
from chengshu.sensing.models import Liveness, ObservedProperty
from chengshu.sensing.vitals import Counts, Readings, State
from chengshu.web.pages import Request, page, respond, text
from chengshu.web.things.register import labels
from chengshu.web.things.words import Labels

UNWELL: Final = ("silent", "faulty", "late", "new")  # the gravest first
CASES: Final = 50
NOTHING: Final = State(of=dict.fromkeys(Liveness.values, 0))
States: TypeAlias = Mapping[tuple[str | None, int | None], State]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A row of a table, or a cell: its states, and what the list behind its numbers asks for."""

    name: str
    state: State
    asked: str

    def href(self, state: str = "") -> str:
        """The list behind a number."""
        query = "&".join(filter(None, (self.asked, f"state={state}" if state else "")))
        return reverse("things") + (f"?{query}" if query else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class VitalsPage:
    """All of it; `crossed` has a line of cells for each type, in the order of `divisions`."""

    all: Line
    unwell: Sequence[str]
    types: Sequence[Line]
    divisions: Sequence[Line]
    crossed: Sequence[tuple[str, Sequence[Line]]]
    counts: Counts
    labels: Labels
    properties: Sequence[ObservedProperty]
    property: ObservedProperty | None
    readings: Readings
    cases: Sequence[Case] | None
    reports: bool


@page(roles=STAFF)
def show(request: Request) -> HttpResponse:
    """The page."""
    counts, words = vitals.counts(request.principal), labels(request)
    states = counts.states()
    properties = vitals.properties(request.principal)
    asked = text(request, "property", 18)
    chosen = next((each for each in properties if str(each.pk) == asked), properties[0] if properties else None)
    return respond(
        request,
        "things/vitals.html",
        VitalsPage(
            all=_line(states, _("All things")),
            unwell=UNWELL,
            types=[_line(states, words.type(code), type=code) for code in counts.types],
            divisions=[_line(states, words.division(pk), division=pk) for pk in counts.divisions],
            crossed=_crossed(counts, states, words),
            counts=counts,
            labels=words,
            properties=properties,
            property=chosen,
            readings=vitals.readings(request.principal, chosen.pk) if chosen else Readings(),
            cases=_cases(request, words),
            reports=request.principal.role in upkeep.REPORTS,
        ),
    )


def _line(states: States, name: str, type: str | None = None, division: int | None = None) -> Line:
    asked = {"type": None if type is None else type or "-", "division": division}
    query = urlencode({key: value for key, value in asked.items() if value is not None})
    return Line(name=name, state=states.get((type, division), NOTHING), asked=query)


def _crossed(counts: Counts, states: States, words: Labels) -> list[tuple[str, list[Line]]]:
    divisions = [(pk, words.division(pk)) for pk in counts.divisions]
    return [(words.type(code), [_line(states, name, code, pk) for pk, name in divisions]) for code in counts.types]


def _cases(request: Request, words: Labels) -> list[Case] | None:
    """Maintenance cases opened since midnight, for posts that see cases."""
    if SCOPES[request.principal.role] is Scope.NONE:
        return None
    today = datetime.now(UTC).astimezone(words.known.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found = visible(request.principal).filter(scene=upkeep.SCENE, opened_at__gte=today)
    return list(found.select_related("state", "unit", "division").order_by("-opened_at")[:CASES])
