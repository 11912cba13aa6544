"""Shapes of the API. Times carry an offset; places are WGS 84 degrees; codes are those of the city pack."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints

from chengshu.cases.models import Case
from chengshu.cases.records import Verdict
from chengshu.core.text import plain

Code = Field(max_length=100)


def _utc(time: datetime) -> datetime:
    """The same moment in UTC, for PostgreSQL does not read every offset that RFC 3339 allows."""
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no calendar reaches this time") from error


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$"), AfterValidator(plain)]


class In(Schema):
    """What comes in: an unknown field is a mistake, not a wish to be ignored."""

    model_config = ConfigDict(extra="forbid")


class ReportIn(In):
    """Something to be taken in as a case."""

    title: Words = Field(min_length=1, max_length=200)
    description: Words = Field("", max_length=20_000)
    kind: str | None = Field(None, max_length=100, description="needed without a type")
    type: str | None = Field(None, max_length=100)
    severity: int | None = Field(None, ge=1, le=4, description="1 urgent … 4 minor")
    source: str = Field("api", max_length=40, pattern="^[a-z0-9_-]+$")
    occurred_at: Moment | None = None
    place_text: Words = Field("", max_length=500)
    lon: float | None = Field(None, ge=-180, le=180)
    lat: float | None = Field(None, ge=-90, le=90)
    division: str | None = Field(None, max_length=100)
    contact_name: Words = Field("", max_length=100)
    contact_phone: str = Field("", max_length=40)
    key: str | None = Field(
        None, min_length=1, max_length=200, description="the caller's own key: a report is taken once"
    )
    evidence: list[UUID] = Field(default_factory=list, max_length=20)


class MoveIn(In):
    """A move to make, with what it needs."""

    move: str = Field(max_length=40, examples=["dispatch"])
    note: Words = Field("", max_length=5_000)
    unit: str | None = Field(
        None, max_length=100, description="code of the department; the dispatch rules decide without it"
    )
    target: UUID | None = None
    until: Moment | None = None
    rating: int | None = Field(None, ge=1, le=5)
    tracker: int | None = Field(None, ge=1, le=2**62)
    type: str | None = Field(None, max_length=100)
    severity: int | None = Field(None, ge=1, le=4)
    division: str | None = Field(None, max_length=100)
    lon: float | None = Field(None, ge=-180, le=180)
    lat: float | None = Field(None, ge=-90, le=90)
    place_text: Words | None = Field(None, max_length=500)
    evidence: list[UUID] = Field(default_factory=list, max_length=20)


class BatchMoveIn(MoveIn):
    case: UUID
    version: int | None = Field(None, ge=1, le=2**31 - 1)


class Named(Schema):
    """A thing of the pack: its code and its names."""

    code: str
    name: str
    name_en: str = ""


class CaseOut(Schema):
    """A case as it stands."""

    id: UUID
    number: str
    version: int
    kind: str
    type: Named | None
    state: Named
    open: bool
    title: str
    description: str
    severity: int
    source: str
    place_text: str
    lon: float | None
    lat: float | None
    division: Named
    unit: Named | None
    opened_at: datetime
    moved_at: datetime
    closed_at: datetime | None
    due_at: datetime | None
    suspended: bool
    returns: int
    reworks: int
    urges: int
    escalation: int
    rating: int | None
    merged_into: UUID | None


class CasesOut(Schema):
    """A page of cases; `next` is the cursor of the page after it."""

    cases: list[CaseOut]
    next: str | None


class VerdictOut(Schema):
    """What became of one row of a batch."""

    verdict: str
    detail: str
    case: UUID
    number: str | None
    version: int | None


class VerdictsOut(Schema):
    verdicts: list[VerdictOut]


class ReportsIn(In):
    reports: list[ReportIn] = Field(min_length=1, max_length=500)


class MovesIn(In):
    moves: list[BatchMoveIn] = Field(min_length=1, max_length=500)


class ActOut(Schema):
    """A move out of the case's state: whether this post may make it, what it needs, and if not, why not."""

    move: str
    label: str
    label_en: str
    allowed: bool
    fields: list[str]
    why_not: str


class StepOut(Schema):
    seq: int
    move: Named
    state: Named
    at: datetime
    by: str | None
    role: str
    unit: str | None
    note: str
    facts: dict[str, Any]


class ClockOut(Schema):
    stage: str
    limit: str
    started_at: datetime
    due_at: datetime
    paused_at: datetime | None
    stopped_at: datetime | None


class TaskOut(Schema):
    unit: Named
    lead: bool
    state: str
    note: str
    opened_at: datetime
    ended_at: datetime | None


class EvidenceOut(Schema):
    id: UUID
    media_type: str
    size: int
    name: str
    taken_at: datetime | None
    lon: float | None
    lat: float | None
    at: datetime


class StoryOut(Schema):
    """A case with its whole story."""

    case: CaseOut
    acts: list[ActOut]
    steps: list[StepOut]
    clocks: list[ClockOut]
    tasks: list[TaskOut]
    evidence: list[EvidenceOut]


class ContactIn(In):
    purpose: str = Field(min_length=2, max_length=500)


class ContactOut(Schema):
    name: str
    phone: str
    reported_at: datetime


class DuplicateOut(Schema):
    number: str
    title: str
    distance: float = Field(description="metres")
    hours: float
    because: str


class TypeSuggestionOut(Schema):
    type: Named
    score: float
    because: str


class UnitSuggestionOut(Schema):
    unit: Named
    rule: str
    because: str


class LimitSuggestionOut(Schema):
    stage: str
    limit: str
    due_at: datetime
    because: str


class SuggestionsOut(Schema):
    """What the dispatcher would otherwise have to look up, each with its reason."""

    types: list[TypeSuggestionOut]
    unit: UnitSuggestionOut | None
    limits: list[LimitSuggestionOut]
    duplicates: list[DuplicateOut]


class RulesIn(In):
    rules: list[dict[str, Any]] = Field(min_length=1, max_length=1_000)
    why: str = Field("", max_length=500)
    seen: int = Field(0, ge=0, le=2**31 - 1, description="the version the change started from")


class RulesOut(Schema):
    version: int
    by: str
    at: datetime
    why: str
    rules: list[dict[str, Any]]


class SimulationOut(Schema):
    cases: int
    same: int
    changed: int
    undecided: int
    by_rule: dict[str, int]
    flows: list[tuple[str, str, int]]
    moved: list[tuple[str, str, str, str]]


class MeOut(Schema):
    username: str
    name: str
    role: str
    department: Named | None
    division: Named


class MoveOut(Schema):
    """A move of a kind: the legal changes, who makes them and why."""

    code: str
    label: str
    label_en: str
    from_state: str
    to_state: str
    roles: list[str]
    needs: list[str]
    why: str
    why_en: str


class KindOut(Schema):
    code: str
    label: str
    label_en: str
    states: list[Named]
    moves: list[MoveOut]


class TypeOut(Schema):
    code: str
    kind: str
    name: str
    name_en: str
    major: str
    minor: str
    severity: int
    urgent: bool
    register_standard: str
    close_standard: str
    limits: dict[str, str]


Order = Literal["due", "new", "old"]


def named(code: str, name: str, name_en: str = "") -> dict[str, str]:
    return {"code": code, "name": name, "name_en": name_en}


def case_out(case: Case) -> dict[str, Any]:
    """A case with its relations read, as the API gives it."""
    type, state, division, unit = case.type, case.state, case.division, case.unit
    return {
        "id": case.pk,
        "number": case.number,
        "version": case.version,
        "kind": case.kind.code,
        "type": named(type.code, type.name, type.name_en) if type else None,
        "state": named(state.code, state.label, state.label_en),
        "open": case.closed_at is None,
        "title": case.title,
        "description": case.description,
        "severity": case.severity,
        "source": case.source,
        "place_text": case.place_text,
        "lon": case.lon,
        "lat": case.lat,
        "division": named(division.code, division.name, division.name_en),
        "unit": named(unit.code, unit.name, unit.name_en) if unit else None,
        "opened_at": case.opened_at,
        "moved_at": case.moved_at,
        "closed_at": case.closed_at,
        "due_at": case.due_at,
        "suspended": case.suspended,
        "returns": case.returns,
        "reworks": case.reworks,
        "urges": case.urges,
        "escalation": case.escalation,
        "rating": case.rating,
        "merged_into": case.merged_into_id,
    }


def verdict_out(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.verdict,
        "detail": verdict.detail,
        "case": verdict.case,
        "number": verdict.number,
        "version": verdict.version,
    }
