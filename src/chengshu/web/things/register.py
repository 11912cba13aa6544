"""The register of things: found by type, state, place, owner and name; and acts on those that are chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chengshu.brain import upkeep
from chengshu.brain.models import Upkeep
from chengshu.cases.catalog import Catalog
from chengshu.cases.visibility import visible
from chengshu.core.errors import ChengshuError, Invalid, NotFound
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF
from chengshu.sensing import kinds, things, vitals
from chengshu.sensing.models import Thing
from chengshu.sensing.things import STATES, Asked
from chengshu.web.pages import Request, back, known, page, respond, text
from chengshu.web.things.words import Labels

SIZE: Final = 50
NAMES: Final = ("type", "state", "division", "owner", "duty", "q", "case")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A Thing with the numbers of its open maintenance cases."""

    thing: Thing
    cases: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterPage:
    """Things that fit. `counts` by state, where they are known without counting; `unknown` names what was not understood."""

    rows: Sequence[Row]
    asked: Mapping[str, str]
    types: Sequence[tuple[str, str]]
    divisions: Sequence[tuple[int, str]]
    states: Sequence[str]
    counts: Sequence[tuple[str, int, str]]
    labels: Labels
    next: str
    address: str
    unknown: str
    reports: bool
    keeps: bool


def labels(request: HttpRequest) -> Labels:
    """The words for codes of the city that this person is in."""
    catalog = known(request)
    return Labels(known=catalog, kinds=kinds.kinds(catalog.city.pk))


def below(catalog: Catalog) -> list[int]:
    """The divisions of today right below the city."""
    found = [
        pk for pk, place in catalog.divisions.items() if len(place.path) == vitals.BELOW and place.valid_to is None
    ]
    return sorted(found, key=lambda pk: catalog.divisions[pk].code)


@page(roles=STAFF)
def show(request: Request) -> HttpResponse:
    """The list."""
    asked = {name: value for name in NAMES if (value := text(request, name, 100))}
    said, unknown = _asked(request, asked)
    rows = things.found(request.principal, said)
    after = text(request, "after", 18)
    if after.isascii() and after.isdecimal():
        rows = rows.filter(pk__gt=int(after))
    found = list(rows[: SIZE + 1]) if not unknown else []
    words = labels(request)
    running = upkeep.running(request.principal, (thing.pk for thing in found))
    query = urlencode(asked)
    return respond(
        request,
        "things/register.html",
        RegisterPage(
            rows=[Row(thing=thing, cases=running.get(thing.pk, ())) for thing in found[:SIZE]],
            asked={name: asked.get(name, "") for name in NAMES},
            types=sorted((code, words.type(code)) for code in words.kinds.types),
            divisions=[(pk, words.division(pk)) for pk in below(words.known)],
            states=STATES,
            counts=_counts(request.principal, asked, said),
            labels=words,
            next=f"?{query}&after={found[SIZE - 1].pk}" if len(found) > SIZE else "",
            address=f"{reverse('things')}?{query}",
            unknown=unknown,
            reports=request.principal.role in upkeep.REPORTS,
            keeps=things.keeps(request.principal),
        ),
    )


def _asked(request: Request, asked: Mapping[str, str]) -> tuple[Asked, str]:
    """What is looked for, and what of it was not understood."""
    state, division = asked.get("state", ""), asked.get("division", "")
    owner, duty = (_department(request, asked.get(name, "")) for name in ("owner", "duty"))
    unknown = [asked[name] for name, found in (("owner", owner), ("duty", duty)) if found is None]
    unknown += [state] if state and state not in STATES else []
    unknown += [division] if division and not (division.isascii() and division.isdecimal()) else []
    said = Asked(
        type=asked.get("type", ""), state=state, text=asked.get("q", ""), owner=owner or "", duty=duty or "",
        division=int(division) if division and not unknown else None, ids=_of_case(request, asked.get("case", "")),
    )  # fmt: skip
    return said, ", ".join(unknown)


def _department(request: Request, said: str) -> str | None:
    """The code of the department that is meant by a code or a name; None when there is none."""
    catalog = known(request)
    found = catalog.named_units.get(said.casefold(), [])
    return "" if not said else catalog.departments[found[0]].code if found else None


def _of_case(request: Request, number: str) -> Any:
    """The Things that a case is about, of a case that this person sees."""
    if not number:
        return None
    case = visible(request.principal).filter(number=number).first()
    if case is None:
        raise NotFound(_("There is no such case."), where=number, remedy=_("Check the number."))
    return Upkeep.objects.filter(case=case).values("thing")


def _counts(principal: Principal, asked: Mapping[str, str], said: Asked) -> list[tuple[str, int, str]]:
    """How many there are in each state, where nothing is asked that the tallies do not tell."""
    if set(asked) - {"type", "state", "division"}:
        return []
    type = None if not said.type else "" if said.type == "-" else said.type
    found = vitals.counts(principal)
    if not found.whole or (said.division is not None and said.division not in {0, *found.divisions}):
        return []
    rest = {name: value for name, value in asked.items() if name != "state"}
    counted = [(state, found.sum(type=type, division=said.division, state=state)) for state in STATES]
    return [(state, n, f"?{urlencode({**rest, 'state': state})}") for state, n in counted if n]


@page("POST", roles=STAFF)
def act(request: Request) -> HttpResponse:
    """Open maintenance cases for the chosen Things, or put them out of use."""
    wanted, why = text(request, "do", 10), text(request, "why", 500)
    chosen = [int(pk) for pk in request.POST.getlist("thing")[:SIZE] if pk.isascii() and pk.isdecimal()]
    if not chosen:
        raise Invalid(_("Nothing is chosen."), remedy=_("Go back, and mark what is meant."))
    acts: dict[str, Callable[[int], object]] = {
        "upkeep": lambda pk: _upkeep(request.principal, pk, why),
        "retire": lambda pk: things.retire(request.principal, pk, why=why, at=datetime.now(UTC)),
    }
    if wanted not in acts:
        raise Invalid(_("There is no such act."), where=wanted, remedy=_("Use the buttons of the page."))
    done, first = 0, None
    for pk in chosen:
        try:
            acts[wanted](pk)
            done += 1
        except ChengshuError as error:
            first = first or error
    if first is not None and not done:
        raise first
    messages.success(request, ngettext("Done for %(n)d thing.", "Done for %(n)d things.", done) % {"n": done})
    if first is not None:
        messages.error(request, _(first.what))
    return back(request, reverse("things"))


def _upkeep(principal: Principal, pk: int, why: str) -> None:
    if len(why) < things.SHORTEST_WHY:
        raise Invalid(_("Say what is wrong with it."), where="why", remedy=_("A few words will do."))
    upkeep.open_case(principal, things.one(principal, pk), why, datetime.now(UTC))
