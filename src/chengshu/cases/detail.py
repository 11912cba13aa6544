"""Everything that a person may know of one case, gathered for a page or the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case, Clock, ClockEvent, Contact, Evidence, Move, Report, Step, Task
from chengshu.cases.visibility import visible
from chengshu.core.errors import Invalid, NotFound
from chengshu.parties.models import Access
from chengshu.parties.principal import Principal
from chengshu.parties.roles import LABELS, READS_CONTACT, Role

# What a person may bring along with a move; other needs are conditions of the case itself.
FIELDS = ("note", "unit", "type", "evidence", "type_evidence", "rating", "until", "tracker", "target")

_WHY = {
    "forbidden": gettext_noop("This is done by: %(roles)s."),
    "lead": gettext_noop("Only the lead unit makes this move."),
    "separation": gettext_noop("Whoever handled a case does not judge it: another person makes this move."),
    "returns": gettext_noop("The case was returned as often as allowed; the district's centre keeps it."),
    "clash": gettext_noop("Another open case has the same key."),
    "conflict": gettext_noop("Somebody else moved this case first. Look at its last step, then decide again."),
    "illegal": gettext_noop("The case is not in a state from which this move leads."),
    "missing": gettext_noop("There is no such case, or this post may not see it."),
    "needs:note": gettext_noop("It needs a note that says why."),
    "needs:unit": gettext_noop("It needs the unit responsible."),
    "needs:type": gettext_noop("It needs a case type of this kind of case."),
    "needs:evidence": gettext_noop("It needs a photo or file as evidence."),
    "needs:type_evidence": gettext_noop("The case type needs evidence (photo or place) before this move."),
    "needs:other_unit": gettext_noop("This unit has an open part in the case already."),
    "needs:rating": gettext_noop("It needs a rating from 1 to 5."),
    "needs:until": gettext_noop("It needs a time in the future."),
    "needs:tracker": gettext_noop("It needs a person who tracks the case."),
    "needs:target": gettext_noop("It needs another open case of the same kind."),
    "needs:tasks_done": gettext_noop("Assisting units have not finished their tasks."),
    "needs:task": gettext_noop("Your unit has no open assisting task in this case."),
    "needs:window": gettext_noop("The time for reopening has passed."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """A move as offered to a person: whether it may be made now, what it needs, and if not, why not."""

    move: Move
    allowed: bool
    fields: tuple[str, ...]
    why_not: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One line of the timeline: a report, step, file or clock event."""

    at: datetime
    kind: str
    what: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseDetail:
    """A case with its whole story."""

    case: Case
    acts: tuple[Act, ...]
    timeline: tuple[Event, ...]
    reports: tuple[Report, ...]
    steps: tuple[Step, ...]
    clocks: tuple[Clock, ...]
    tasks: tuple[Task, ...]
    evidence: tuple[Evidence, ...]
    merged: tuple[Case, ...]
    has_contact: bool

    @property
    def allowed(self) -> tuple[Act, ...]:
        return tuple(act for act in self.acts if act.allowed)

    @property
    def refused(self) -> tuple[Act, ...]:
        return tuple(act for act in self.acts if not act.allowed)


def find(principal: Principal, number: str | UUID) -> Case:
    """A case by number or id, if the post may see it; NotFound in either other case, so that nothing is given away."""
    key = {"pk": number} if isinstance(number, UUID) else {"number": number}
    related = ("type", "kind", "state", "unit", "division", "tracker", "merged_into", "kind__city")
    case = visible(principal).filter(**key).select_related(*related).first()
    if case is None:
        raise NotFound(
            _(_WHY["missing"]), where=str(number), remedy=_("Check the number, or switch to another of your posts.")
        )
    return case


def detail(principal: Principal, number: str | UUID, *, now: datetime | None = None) -> CaseDetail:
    """The whole story of a case and the moves that the post may make."""
    case = find(principal, number)
    steps = tuple(case.steps.select_related("move", "account", "unit", "to_state", "from_state").order_by("seq"))
    reports = tuple(case.reports.order_by("received_at"))
    clocks = tuple(case.clocks.select_related("unit").order_by("started_at", "pk"))
    evidence = tuple(case.evidence.order_by("at"))
    events = ClockEvent.objects.filter(clock__in=[clock.pk for clock in clocks]).select_related("clock")
    return CaseDetail(
        case=case,
        acts=acts(principal, case, now or datetime.now(UTC)),
        timeline=_timeline(reports, steps, evidence, events),
        reports=reports,
        steps=steps,
        clocks=clocks,
        tasks=tuple(case.tasks.select_related("unit").order_by("pk")),
        evidence=evidence,
        merged=tuple(case.merged.all()),
        has_contact=Contact.objects.filter(report__case=case).exclude(name="", phone="").exists(),
    )


def _timeline(
    reports: Sequence[Report], steps: Sequence[Step], evidence: Sequence[Evidence], events: Any
) -> tuple[Event, ...]:
    lines = [Event(at=r.received_at, kind="report", what=r) for r in reports if r.verdict != "opened"]
    lines += [Event(at=s.at, kind="step", what=s) for s in steps]
    lines += [Event(at=e.at, kind="evidence", what=e) for e in evidence if e.seq is None]
    lines += [Event(at=e.at, kind="clock", what=e) for e in events]
    return tuple(sorted(lines, key=lambda line: line.at))


def acts(principal: Principal, case: Case, now: datetime) -> tuple[Act, ...]:
    """Every move that leads out of the case's state, judged for this post; the system's own moves are left out."""
    known = catalog(case.kind.city_id)
    moves = [m for m in known.moves_from(case.kind_id, case.state_id) if set(m.roles) != {Role.SYSTEM.value}]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.i, w.verdict, w.detail FROM unnest(cases_judge(ARRAY("
            "SELECT r FROM jsonb_populate_recordset(NULL::cases_request, %s) r))) w",
            [msgspec.json.encode([_question(known, principal, case, m, i, now) for i, m in enumerate(moves)]).decode()],
        )
        found = {i: (verdict, detail) for i, verdict, detail in cursor}
    return tuple(_act(move, *found[i]) for i, move in enumerate(moves))


def _question(known: Catalog, principal: Principal, case: Case, move: Move, i: int, now: datetime) -> dict[str, Any]:
    return {
        "i": i,
        "case_id": case.pk,
        "move": move.code,
        "at": now,
        "account_id": principal.account,
        "role": principal.role.value,
        "scope": principal.scope.value,
        "division_id": principal.division,
        "department_id": principal.department,
        "not_before": now - known.reopen_window(now),
        "returns_limit": int(known.parameter("returns_before_last_resort", now)),
    }


def _act(move: Move, verdict: str, lacking: str) -> Act:
    allowed = verdict == "ok" or (verdict == "needs" and lacking in FIELDS)
    return Act(
        move=move,
        allowed=allowed,
        fields=tuple(need for need in move.needs if need in FIELDS),
        why_not="" if allowed else explain(verdict, lacking, move),
    )


def explain(verdict: str, lacking: str = "", move: Move | None = None) -> str:
    """A refusal in words."""
    words = _WHY.get(f"{verdict}:{lacking}" if lacking else verdict)
    if words is None:
        return verdict
    roles = "、".join(str(LABELS[Role(role)]) for role in move.roles) if move else "?"
    return _(words) % {"roles": roles} if "%(" in words else _(words)


def find_evidence(principal: Principal, id: UUID) -> Evidence:
    """A file of a case that the post may see, or one that the account sent itself; NotFound otherwise."""
    row = Evidence.objects.filter(pk=id).first()
    if row is not None and row.account_id is not None and row.account_id == principal.account:
        return row
    if row is not None and row.case_id is not None and visible(principal).filter(pk=row.case_id).exists():
        return row
    raise NotFound(
        _("There is no such file, or this post may not see it."), where=str(id), remedy=_("Open it from its case.")
    )


def contact(principal: Principal, number: str | UUID, purpose: str) -> list[Contact]:
    """Name and telephone of the reporters of a case, for a stated purpose; the reading leaves a trace first.

    Raises NotFound for cases and roles that may not see it.
    """
    case = find(principal, number)
    if len(purpose.strip()) < 4:
        raise Invalid(_("Reading a contact needs a purpose."), where="purpose", remedy=_("Say what the call is for."))
    if principal.role not in READS_CONTACT or principal.account is None:
        raise NotFound(
            _("Contacts are shown to those who work on the case, for a purpose said in words."),
            where=case.number,
            remedy=_("Say what the call is for."),
        )
    Access.objects.create(
        account_id=principal.account,
        post_id=principal.post,
        subject=f"case:{case.pk}",
        fields=["name", "phone"],
        purpose=purpose.strip()[:500],
    )
    return list(Contact.objects.filter(report__case=case).select_related("report").order_by("report__received_at"))
