"""Everything that a person may know of one case, gathered for a page or the API."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu import database
from chengshu.cases import looks, whole
from chengshu.cases.advance import UNDO, earliest
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case, Clock, ClockEvent, Contact, Evidence, Move, Report, Step, Task
from chengshu.cases.visibility import visible
from chengshu.cases.writing import SHORTEST
from chengshu.core.errors import Invalid, NotFound
from chengshu.parties.models import Access
from chengshu.parties.principal import Principal
from chengshu.parties.roles import LABELS, READS_CONTACT, Role

# What a person may bring along with a move; other needs are conditions of the case itself.
FIELDS = ("note", "unit", "type", "evidence", "type_evidence", "rating", "until", "tracker", "target")

_JUDGE = (
    "SELECT w.i, w.verdict, w.detail FROM unnest(cases_judge(ARRAY("
    "SELECT r FROM jsonb_populate_recordset(NULL::cases_request, %s) r))) w"
)
_encode = msgspec.json.Encoder().encode

_WHY = {
    "forbidden": gettext_noop("This is done by: %(roles)s."),
    "lead": gettext_noop("Only the lead unit makes this move."),
    "separation": gettext_noop("Whoever handled a case does not judge it: another person makes this move."),
    "returns": gettext_noop("The case was returned as often as allowed; the district's centre keeps it."),
    "undo": gettext_noop("Only whoever made the last step takes it back, at once and before anybody else acts."),
    "clash": gettext_noop("Another open case has the same key."),
    "conflict": gettext_noop("Somebody else moved this case first. Look at its last step, then decide again."),
    "illegal": gettext_noop("The case is not in a state from which this move leads."),
    "missing": gettext_noop("There is no such case, or this post may not see it."),
    "needs:note": gettext_noop("It needs a note of at least 2 characters that says why."),
    "needs:unit": gettext_noop("It needs the unit responsible."),
    "needs:type": gettext_noop("It needs a case type of this kind of case."),
    "needs:evidence": gettext_noop("It needs a photo or file as evidence."),
    "needs:type_evidence": gettext_noop("The case type needs evidence (photo or place) before this move."),
    "needs:other_unit": gettext_noop("This unit has an open part in the case already."),
    "needs:rating": gettext_noop("It needs a rating from 1 to 5."),
    "needs:until": gettext_noop("It needs a time in the future."),
    "needs:later": gettext_noop("It is due later than that already: give a time after the present due time."),
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
    """One line of the timeline: a report, step, file or clock event; `cause` is the event that a step of escalation tells of."""

    at: datetime
    kind: str
    what: Any
    cause: ClockEvent | None = None


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
        return tuple(act for act in self.acts if act.allowed and "undo" not in act.move.does)

    @property
    def refused(self) -> tuple[Act, ...]:
        return tuple(act for act in self.acts if not act.allowed and "undo" not in act.move.does)

    @property
    def undo(self) -> Act | None:
        """The move that takes the last step back, while it is granted."""
        return next((act for act in self.acts if act.allowed and "undo" in act.move.does), None)

    @property
    def undo_until(self) -> datetime:
        return self.steps[-1].at + UNDO


def find(principal: Principal, number: str | UUID) -> Case:
    """A case by number or id, if the post may see it; NotFound in either other case, so that nothing is given away."""
    case = whole.seen(catalog(principal.city), principal, number)
    if case is None:
        raise NotFound(
            _(_WHY["missing"]), where=str(number), remedy=_("Check the number, or switch to another of your posts.")
        )
    return case


def detail(principal: Principal, number: str | UUID, *, now: datetime | None = None) -> CaseDetail:
    """The whole story of a case and the moves that the post may make."""
    case = find(principal, number)
    parts = whole.parts(catalog(principal.city), case)
    return CaseDetail(
        case=case,
        acts=acts(principal, case, now or datetime.now(UTC)),
        timeline=_timeline(parts.reports, parts.steps, parts.evidence, parts.events),
        reports=parts.reports,
        steps=parts.steps,
        clocks=parts.clocks,
        tasks=parts.tasks,
        evidence=parts.evidence,
        merged=parts.merged,
        has_contact=parts.has_contact,
    )


def _timeline(
    reports: Sequence[Report], steps: Sequence[Step], evidence: Sequence[Evidence], events: Sequence[ClockEvent]
) -> tuple[Event, ...]:
    lines = [Event(at=r.received_at, kind="report", what=r) for r in reports if r.verdict != "opened"]
    causes = _causes(steps, events)
    lines += [Event(at=s.at, kind="step", what=s, cause=causes.get(s.seq)) for s in steps]
    lines += [Event(at=e.at, kind="evidence", what=e) for e in evidence if e.seq is None]
    lines += [Event(at=e.at, kind="clock", what=e) for e in events if e not in causes.values()]
    return tuple(sorted(lines, key=lambda line: line.at))


def _causes(steps: Sequence[Step], events: Sequence[ClockEvent]) -> dict[int, ClockEvent]:
    """By the number of each step of escalation the clock event that made it: both say the same, so one line tells it."""
    left = sorted((e for e in events if e.event.startswith("escalate:")), key=lambda event: event.at)
    found: dict[int, ClockEvent] = {}
    for step in steps:
        level = step.facts.get("level") if "escalate" in step.move.does else None
        cause = next((e for e in left if e.event.startswith(f"escalate:{level}@") and e.at <= step.at), None)
        if cause is not None:
            found[step.seq] = cause
            left.remove(cause)
    return found


def acts(principal: Principal, case: Case, now: datetime, *, roles: Collection[Role] = ()) -> tuple[Act, ...]:
    """Every move that leads out of the case's state, judged for this post; the system's own moves are left out.

    Args:
        roles: only moves that one of these roles makes; all when empty.
    """
    known = catalog(case.kind.city_id)
    moves = [m for m in known.moves_from(case.kind_id, case.state_id, undo=True) if set(m.roles) != {Role.SYSTEM.value}]
    moves = [m for m in moves if not roles or not set(roles).isdisjoint(m.roles)]
    questions = [_question(known, principal, case, m, i, now) for i, m in enumerate(moves)]
    found = {i: (verdict, lacking) for i, verdict, lacking in database.rows(_JUDGE, [_encode(questions).decode()])}
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
        "not_before": earliest(known, move, now),
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

    Raises NotFound for cases and roles that may not see it, TooMany for an account that looked people up too often.
    """
    case = find(principal, number)
    if len(purpose.strip()) < SHORTEST:
        what = _("Reading a contact needs a purpose of at least %(least)d characters.") % {"least": SHORTEST}
        raise Invalid(what, where="purpose", remedy=_("Say what the call is for."))
    if principal.role not in READS_CONTACT or principal.account is None:
        raise NotFound(
            _("Contacts are shown to those who work on the case, for a purpose said in words."),
            where=case.number,
            remedy=_("Say what the call is for."),
        )
    looks.count(principal)
    Access.objects.create(
        account_id=principal.account,
        post_id=principal.post,
        subject=f"case:{case.pk}",
        fields=["name", "phone"],
        purpose=purpose.strip()[:500],
    )
    return list(Contact.objects.filter(report__case=case).select_related("report").order_by("report__received_at"))
