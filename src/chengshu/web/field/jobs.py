"""The phone in the field: my cases, the nearest due first, each with the one or two things to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpResponse

from chengshu.cases import choices, search
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Case, Move
from chengshu.web.context import FIELD
from chengshu.web.field.kept import kept
from chengshu.web.field.todo import wanted
from chengshu.web.field.ways import Ways, ways
from chengshu.web.pages import Request, known, page, respond, text

SIZE = 60  # jobs of a page: more than a day's work, and a route through them is found at once
ACTS = 2  # offered in the list; the others stand on the job's own page


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A case to work on, the moves that bring it forward, and the way there."""

    case: Case
    moves: Sequence[Move]
    ways: Ways


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldPage:
    """The jobs of a handler, grid worker or verifier; `today` when only those due today were asked for."""

    jobs: Sequence[Job]
    next: str | None
    today: bool

    @property
    def placed(self) -> int:
        """How many of them have a point on the map."""
        return sum(job.case.lon is not None for job in self.jobs)


@page(roles=FIELD)
def show(request: Request) -> HttpResponse:
    """The list of jobs."""
    catalog, role, today = known(request), request.principal.role, text(request, "today", 1) == "1"
    found = search.page(
        request.principal, wanted(request, today=today), now=datetime.now(UTC),
        cursor=text(request, "cursor", 200) or None, size=SIZE,
    )  # fmt: skip
    jobs = [Job(case=case, moves=_moves(catalog, case, role.value), ways=ways(case)) for case in found.cases]
    return kept(request, respond(request, "field/jobs.html", FieldPage(jobs=jobs, next=found.next, today=today)))


def _moves(catalog: Catalog, case: Case, role: str) -> list[Move]:
    """What this role may do to bring the case on; what leads forward comes first."""
    own = [
        m for m in catalog.moves_from(case.kind_id, case.state_id) if role in m.roles and m.to_state_id != case.state_id
    ]
    return sorted(own, key=lambda move: not choices.brings_forward(catalog, move))[:ACTS]
