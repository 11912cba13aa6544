"""The phone in the field: my cases, the nearest due first, each with the one or two things to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpResponse

from chengshu.cases import choices, search
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, Move
from chengshu.parties.roles import Role
from chengshu.web.context import FIELD
from chengshu.web.pages import Request, known, page, respond, text


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A case to work on, and the moves that bring it forward."""

    case: Case
    moves: Sequence[Move]


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldPage:
    """The jobs of a handler, grid worker or verifier."""

    jobs: Sequence[Job]
    next: str | None
    patrol: bool


@page(roles=FIELD)
def show(request: Request) -> HttpResponse:
    """The list of jobs."""
    catalog, role = known(request), request.principal.role
    wanted = search.Filters(open=True, states=choices.to_act(catalog, role))
    found = search.page(
        request.principal, wanted, now=datetime.now(UTC), cursor=text(request, "cursor", 200) or None, size=30
    )
    jobs = [Job(case=case, moves=_moves(catalog, case, role.value)) for case in found.cases]
    return respond(request, "field/jobs.html", FieldPage(jobs=jobs, next=found.next, patrol=role == Role.GRID_WORKER))


def _moves(catalog: Catalog, case: Case, role: str) -> list[Move]:
    """What this role may do to bring the case on; what leads forward comes first."""
    own = [
        m for m in catalog.moves_from(case.kind_id, case.state_id) if role in m.roles and m.to_state_id != case.state_id
    ]
    return sorted(own, key=lambda move: not choices.brings_forward(catalog, move))[:3]
