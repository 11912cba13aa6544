"""Cases over HTTP: report, list, read, move, prove."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.http import FileResponse, HttpRequest, HttpResponse
from ninja import File, Path, Query, Router, Schema, UploadedFile
from pydantic import Field

from chengshu.api import schemas as s
from chengshu.api.auth import principal_of
from chengshu.api.idempotency import once
from chengshu.api.problems import Problem
from chengshu.cases import detail, evidence, following, search, suggest
from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.models import Case, Step
from chengshu.cases.records import MoveRequest, NewReport, Verdict
from chengshu.cases.report import report
from chengshu.core.errors import Invalid, NotAllowed, NotFound
from chengshu.core.ids import new_id
from chengshu.parties import throttle
from chengshu.parties.principal import Principal
from chengshu.parties.roles import MAY_REPORT, STAFF, Role

router = Router(tags=["cases"])
REFUSALS = dict.fromkeys((400, 401, 403, 404, 409, 412, 413, 415, 422, 429), Problem)
Ref = Annotated[str, Path(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9-]+$", description="a case's number or id")]


def as_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(body), status=status, content_type="application/json", headers=headers)


def _etag(version: int | None) -> str:
    return f'"{version}"'


def _ref(ref: str) -> str | UUID:
    try:
        return UUID(ref)
    except ValueError:
        return ref


def _new(principal: Principal, body: s.ReportIn, now: datetime) -> NewReport:
    contact = {"name": body.contact_name, "phone": body.contact_phone}
    citizen = principal.role is Role.CITIZEN  # does not set how grave it is, nor through which door it came
    return NewReport(
        origin=f"api:{principal.account}",
        origin_key=body.key or new_id().hex,
        kind=body.kind,
        type=body.type,
        title=body.title,
        description=body.description,
        severity=None if citizen else body.severity,
        source="citizen" if citizen else body.source,
        occurred_at=body.occurred_at or now,
        place_text=body.place_text,
        lon=body.lon,
        lat=body.lat,
        division=body.division,
        contact=contact if any(contact.values()) else None,
        payload=body.model_dump(mode="json", exclude={"contact_name", "contact_phone"}),
        evidence=tuple(body.evidence),
    )


def _take(principal: Principal, bodies: Sequence[s.ReportIn]) -> list[Verdict]:
    if principal.role not in MAY_REPORT:
        raise NotAllowed("This post does not report.", where=principal.role, remedy="Switch to another post.")
    for _body in bodies:
        throttle.count(principal, "", own=throttle.REPORT, here=throttle.REPORT_HERE)
    now = datetime.now(UTC)
    return report([_new(principal, body, now) for body in bodies], city=principal.city, actor=principal, at=now)


def _one(principal: Principal, ref: str | UUID) -> Case:
    return detail.find(principal, ref)


@router.post("/cases", response={201: s.CaseOut, 200: s.CaseOut, **REFUSALS}, summary="Report something")
def create_case(request: HttpRequest, body: s.ReportIn) -> HttpResponse:
    """Take a report in. 201 for a new case; 200 when it was taken before or joined an open case."""
    principal = principal_of(request)

    def work() -> HttpResponse:
        [verdict] = _take(principal, [body])
        status = 201 if verdict.verdict == "opened" else 200
        case = s.case_out(search.read(catalog(principal.city), verdict.case))
        return as_json(case, status, {"ETag": _etag(verdict.version), "Location": f"/api/cases/{verdict.number}"})

    return once(request, principal, work)


@router.post("/reports", response={200: s.VerdictsOut, **REFUSALS}, summary="Report many things")
def create_cases(request: HttpRequest, body: s.ReportsIn) -> HttpResponse:
    """Take up to 500 reports in; a verdict for each: opened, known, joined, stale or reopened."""
    principal = principal_of(request)

    def work() -> HttpResponse:
        return as_json({"verdicts": [s.verdict_out(v) for v in _take(principal, body.reports)]})

    return once(request, principal, work)


class FiltersIn(Schema):
    """What a list is narrowed to."""

    q: str = Field("", max_length=200, description="words, or a number")
    kind: str = Field("", max_length=100)
    type: str = Field("", max_length=100)
    state: str = Field("", max_length=100)
    unit: str = Field("", max_length=100)
    source: str = Field("", max_length=40)
    open: bool | None = None
    overdue: bool = False
    opened_from: s.Moment | None = None
    opened_to: s.Moment | None = None
    order: s.Order = "due"
    cursor: str | None = Field(None, max_length=200)
    size: int = Field(50, ge=1, le=200)


@router.get("/cases", response={200: s.CasesOut, **REFUSALS}, summary="List and search cases")
def list_cases(request: HttpRequest, asked: Query[FiltersIn]) -> HttpResponse:
    """The cases that the post may see, a page at a time."""
    if any("\x00" in value for value in asked.model_dump().values() if isinstance(value, str)):
        raise Invalid("A filter holds a NUL character.", where="query", remedy="Remove it.")
    fields = asked.model_dump(exclude={"order", "cursor", "size", "state"})
    filters = search.Filters(**fields, state=(asked.state,) if asked.state else ())
    page = search.page(
        principal_of(request), filters, now=datetime.now(UTC), order=asked.order, cursor=asked.cursor, size=asked.size
    )
    return as_json({"cases": [s.case_out(case) for case in page.cases], "next": page.next})


@router.get("/cases/{ref}", response={200: s.CaseOut, **REFUSALS}, summary="Read a case")
def get_case(request: HttpRequest, ref: Ref) -> HttpResponse:
    """A case by number or id; its ETag is its version."""
    case = _one(principal_of(request), _ref(ref))
    return as_json(s.case_out(case), headers={"ETag": _etag(case.version)})


@router.get("/cases/{ref}/story", response={200: s.StoryOut, **REFUSALS}, summary="Read a case's whole story")
def get_story(request: HttpRequest, ref: Ref) -> HttpResponse:
    """Steps, clocks, tasks, evidence, and which moves this post may make: with its notes and names for officials only."""
    principal = principal_of(request)
    if principal.role not in STAFF:
        raise NotAllowed("The story is for officials.", where=ref, remedy="A reporter follows the case on its page.")
    found = detail.detail(principal, _ref(ref))
    return as_json(_story(found), headers={"ETag": _etag(found.case.version)})


def _by(step: Step) -> str | None:
    """The official who made a step; a reporter's name is a contact, and is asked for as such."""
    return step.account.name if step.account and step.role != Role.CITIZEN else None


def _story(found: detail.CaseDetail) -> dict[str, Any]:
    return {
        "case": s.case_out(found.case),
        "acts": [
            {"move": a.move.code, "label": a.move.label, "label_en": a.move.label_en, "allowed": a.allowed,
             "fields": a.fields, "why_not": a.why_not}
            for a in found.acts
        ],
        "steps": [
            {"seq": p.seq, "move": s.named(p.move.code, p.move.label, p.move.label_en),
             "state": s.named(p.to_state.code, p.to_state.label, p.to_state.label_en), "at": p.at,
             "by": _by(p), "role": p.role, "unit": p.unit.name if p.unit else None,
             "note": p.note, "facts": p.facts}
            for p in found.steps
        ],
        "clocks": [
            {name: getattr(k, name) for name in ("stage", "limit", "started_at", "due_at", "paused_at", "stopped_at")}
            for k in found.clocks
        ],
        "tasks": [
            {"unit": s.named(t.unit.code, t.unit.name, t.unit.name_en), "lead": t.lead, "state": t.state, "note": t.note,
             "opened_at": t.opened_at, "ended_at": t.ended_at}
            for t in found.tasks
        ],
        "evidence": [_evidence(e) for e in found.evidence],
    }  # fmt: skip


def _evidence(row: Any) -> dict[str, Any]:
    names = ("media_type", "size", "name", "taken_at", "lon", "lat", "at")
    return {"id": row.pk, **{name: getattr(row, name) for name in names}}


def _request(case: UUID, body: s.MoveIn, version: int | None) -> MoveRequest:
    fields = body.model_dump(exclude={"case", "version", "evidence"})
    return MoveRequest(case=case, version=version, evidence=tuple(body.evidence), **fields)


def _if_match(request: HttpRequest) -> int | None:
    header = request.headers.get("If-Match", "*").strip().removeprefix("W/").strip('"')
    if header == "*":
        return None
    if not header.isascii() or not header.isdigit() or len(header) > 9:
        raise Invalid(f"If-Match {header!r} is no version.", where="If-Match", remedy="Send the ETag of the case.")
    return int(header)


@router.post("/cases/{ref}/moves", response={200: s.CaseOut, **REFUSALS}, summary="Move a case")
def move_case(request: HttpRequest, ref: Ref, body: s.MoveIn) -> HttpResponse:
    """Make a move. With If-Match it is made only on the version that the caller saw; 409 tells what happened meanwhile."""
    principal = principal_of(request)
    known = catalog(principal.city)
    named = _ref(ref)
    case_id = named if isinstance(named, UUID) else _one(principal, named).pk

    def work() -> HttpResponse:
        _count(principal, [(case_id, body.move)])
        [verdict] = advance([_request(case_id, body, _if_match(request))], actor=principal)
        if not verdict.ok:
            verdict.raise_for_verdict(refusal(known, principal, verdict, body.move))
        return as_json(s.case_out(search.read(known, case_id)), headers={"ETag": _etag(verdict.version)})

    return once(request, principal, work)


def _count(principal: Principal, moves: Sequence[tuple[UUID, str]]) -> None:
    """A citizen's moves are limited here as on the pages."""
    for _move in moves:
        throttle.count(principal, "", own=throttle.FOLLOW_MOVE, here=throttle.FOLLOW_MOVE)
    following.check_urge(principal, moves)


def refusal(known: Catalog, actor: Principal, verdict: Verdict, code: str) -> str:
    """A refused move in words; to officials with what happened meanwhile, and by whom: an official by name, others by role."""
    case = Case.objects.select_related("state").filter(pk=verdict.case).first()
    move = known.moves.get((case.kind_id, code, case.state_id)) if case else None
    words = detail.explain(verdict.verdict, verdict.detail, move)
    if case is None or verdict.verdict not in {"conflict", "illegal"} or actor.role is Role.CITIZEN:
        return words
    last = case.steps.select_related("move", "account").order_by("-seq")[0]
    by = _by(last) or last.role
    return f"{words} ({last.move.label} / {last.move.label_en}, {by}, {last.at.isoformat()} → {case.state.label})"


@router.post("/moves", response={200: s.VerdictsOut, **REFUSALS}, summary="Move many cases")
def move_cases(request: HttpRequest, body: s.MovesIn) -> HttpResponse:
    """Up to 500 moves; a verdict for each. A refused one changes nothing."""
    principal = principal_of(request)
    requests = [_request(m.case, m, m.version) for m in body.moves]

    def work() -> HttpResponse:
        _count(principal, [(wanted.case, wanted.move) for wanted in requests])
        return as_json({"verdicts": [s.verdict_out(v) for v in advance(requests, actor=principal)]})

    return once(request, principal, work)


@router.get("/cases/{ref}/suggestions", response={200: s.SuggestionsOut, **REFUSALS}, summary="Suggestions for a case")
def get_suggestions(request: HttpRequest, ref: Ref) -> HttpResponse:
    """Type, unit, limits and possible duplicates, each with its reason."""
    principal = principal_of(request)
    if principal.role not in STAFF:
        raise NotAllowed("Suggestions are for those who classify cases.", where=ref, remedy="Switch to another post.")
    case = _one(principal, _ref(ref))
    known = catalog(case.kind.city_id)
    unit = suggest.unit(known, case)
    types = suggest.types(known, f"{case.title} {case.description}", kind=case.kind_id)
    return as_json(
        {
            "types": [
                {"type": s.named(t.type.code, t.type.name, t.type.name_en), "score": t.score, "because": t.because}
                for t in types
            ],
            "unit": {
                "unit": s.named(unit.unit.code, unit.unit.name, unit.unit.name_en),
                "rule": unit.rule,
                "because": unit.because,
            }
            if unit
            else None,
            "limits": [
                {"stage": x.stage, "limit": x.limit, "due_at": x.due_at, "because": x.because}
                for x in (suggest.limits(known, case.type, datetime.now(UTC)) if case.type else [])
            ],
            "duplicates": [
                {
                    "number": d.case.number,
                    "title": d.case.title,
                    "distance": d.distance,
                    "hours": d.hours,
                    "because": d.because,
                }
                for d in suggest.duplicates(known, principal, case)
            ],
        }
    )


@router.post("/cases/{ref}/contact", response={200: list[s.ContactOut], **REFUSALS}, summary="Read who reported")
def read_contact(request: HttpRequest, ref: Ref, body: s.ContactIn) -> HttpResponse:
    """Name and telephone of the reporters: personal data. The purpose is written into the access log before the answer."""
    if "\x00" in body.purpose:
        raise Invalid("The purpose holds a NUL character.", where="purpose", remedy="Remove it.")
    rows = detail.contact(principal_of(request), _ref(ref), body.purpose)
    return as_json([{"name": r.name, "phone": r.phone, "reported_at": r.report.received_at} for r in rows])


@router.post("/evidence", response={201: s.EvidenceOut, **REFUSALS}, summary="Upload evidence")
def upload(request: HttpRequest, file: File[UploadedFile]) -> HttpResponse:
    """A picture or PDF of at most 10 MB; name its id in a report or move. Pictures are written anew without metadata."""
    principal = principal_of(request)
    if principal.role not in MAY_REPORT:
        raise NotAllowed("This post brings no evidence.", where=principal.role, remedy="Switch to another post.")
    throttle.count(principal, "", own=throttle.EVIDENCE, here=throttle.EVIDENCE_HERE)
    if (file.size or 0) > evidence.LARGEST:
        raise Invalid(f"The file has {(file.size or 0) / 2**20:.1f} MB.", where=file.name or "", remedy=evidence.REMEDY)
    zone = catalog(principal.city).city.timezone
    row = evidence.store(file.read(), name=file.name or "", account=principal.account, zone=zone)
    return as_json(_evidence(row), 201)


@router.get("/evidence/{id}", response={200: bytes, **REFUSALS}, summary="Read evidence")
def download(request: HttpRequest, id: UUID) -> FileResponse:
    """The bytes of a file, to whoever may see its case or sent it."""
    return send_evidence(principal_of(request), id)


def send_evidence(principal: Principal, id: UUID) -> FileResponse:
    row = detail.find_evidence(principal, id)
    if principal.role is Role.CITIZEN and not following.sees_file(principal, row):
        raise NotFound(
            "There is no such file, or this post may not see it.", where=str(id), remedy="Open it from its case."
        )
    response = FileResponse(evidence.path_of(row.digest).open("rb"), content_type=row.media_type)
    response["Content-Disposition"] = "attachment" if row.media_type == "application/pdf" else "inline"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, max-age=3600, immutable"
    return response
