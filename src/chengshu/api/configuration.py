"""The city's configuration over HTTP: kinds and moves, types, dispatch rules, and who I am."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from chengshu.api import schemas as s
from chengshu.api.auth import principal_of
from chengshu.api.cases import REFUSALS, as_json
from chengshu.cases import rules
from chengshu.cases.catalog import catalog
from chengshu.core.errors import NotAllowed, NotFound
from chengshu.packs.editing import save_rules
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF

router = Router(tags=["configuration"])


@router.get("/me", response={200: s.MeOut, **REFUSALS}, summary="Who I am")
def me(request: HttpRequest) -> dict[str, Any]:
    """The account, and the post it acts in."""
    principal = principal_of(request)
    known = catalog(principal.city)
    department = known.departments.get(principal.department or 0)
    division = known.divisions[principal.division]
    return {
        "username": principal.username,
        "name": principal.name,
        "role": principal.role.value,
        "department": s.named(department.code, department.name, department.name_en) if department else None,
        "division": s.named(division.code, division.name),
    }


@router.get("/kinds", response={200: list[s.KindOut], **REFUSALS}, summary="Kinds of case, with their states and moves")
def kinds(request: HttpRequest) -> list[dict[str, Any]]:
    """The life of each kind of case, as the city has configured it."""
    known = catalog(principal_of(request).city)
    return [
        {
            "code": kind.code,
            "label": kind.label,
            "label_en": kind.label_en,
            "states": [s.named(x.code, x.label, x.label_en) for x in known.states.values() if x.kind_id == kind.pk],
            "moves": [
                {
                    **{n: getattr(m, n) for n in ("code", "label", "label_en", "roles", "needs", "why", "why_en")},
                    "from_state": known.states[m.from_state_id].code,
                    "to_state": known.states[m.to_state_id].code,
                }
                for m in known.moves.values()
                if m.kind_id == kind.pk
            ],
        }
        for kind in known.kinds.values()
    ]


@router.get("/types", response={200: list[s.TypeOut], **REFUSALS}, summary="Case types")
def types(request: HttpRequest) -> list[dict[str, Any]]:
    """What a case can be about, with its standards and limits."""
    known = catalog(principal_of(request).city)
    names = (
        "code",
        "name",
        "name_en",
        "major",
        "minor",
        "severity",
        "urgent",
        "register_standard",
        "close_standard",
        "limits",
    )
    return [
        {"kind": known.kinds[t.kind_id].code, **{name: getattr(t, name) for name in names}}
        for t in known.types.values()
        if t.active
    ]


@router.get("/rules", response={200: s.RulesOut, **REFUSALS}, summary="Dispatch rules")
def get_rules(request: HttpRequest) -> dict[str, Any]:
    """The table in force, its version and why it was changed last."""
    principal = _staff(request)
    part = next((part for part in rules.history(principal.city) if part.active), None)
    if part is None:
        raise NotFound("No table of dispatch rules is in force.", where="rules", remedy="Put one into force.")
    return {"version": part.version, "by": part.by, "at": part.at, "why": part.why, "rules": part.value["rules"]}


@router.post("/rules/simulate", response={200: s.SimulationOut, **REFUSALS}, summary="Try dispatch rules")
def simulate(request: HttpRequest, body: s.RulesIn) -> dict[str, Any]:
    """What another table would have done with last month's cases; nothing is written."""
    principal = principal_of(request)
    return dataclasses.asdict(rules.simulate(principal, body.rules))


@router.put("/rules", response={200: s.RulesOut, **REFUSALS}, summary="Change dispatch rules")
def put_rules(request: HttpRequest, body: s.RulesIn) -> HttpResponse:
    """Put another table into force, with a reason."""
    part = save_rules(principal_of(request), body.rules, why=body.why, seen=body.seen)
    return as_json(
        {"version": part.version, "by": part.by, "at": part.at, "why": part.why, "rules": part.value["rules"]}
    )


def _staff(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    if principal.role not in STAFF:
        raise NotAllowed("Rules are read by the city's staff.", where="rules", remedy="Switch to another post.")
    return principal
