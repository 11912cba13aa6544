"""Observations in bulk: NDJSON and Arrow in, a receipt out; what was refused, and how it is mended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field

from chengshu.api.auth import principal_of
from chengshu.api.cases import REFUSALS, as_json
from chengshu.core.errors import Invalid
from chengshu.sensing import decode, quarantine
from chengshu.sensing.accept import accept
from chengshu.sensing.records import Receipt
from chengshu.sensing.scope import write_scope

router = Router(tags=["sensing"])
SHOWN = 100  # refused rows that an answer tells of; all stand in quarantine
READERS = {
    "application/x-ndjson": decode.ndjson,
    "application/vnd.apache.arrow.stream": decode.arrow,
    "application/vnd.apache.arrow.file": decode.arrow,
}


class RefusedOut(Schema):
    """A row in quarantine: its line, the reason as a code, and what it said."""

    line: int
    reason: str
    detail: str


class ReceiptOut(Schema):
    """What became of what was sent. `replayed`: the same content came before, and these are the numbers of that time."""

    delivery: int
    rows: int = Field(description="observations added")
    known: int = Field(description="observations that were there already")
    refused: int = Field(description="rows in quarantine")
    received: datetime
    replayed: bool
    problems: list[RefusedOut] = Field(description=f"the first {SHOWN} of them")


class RepairIn(Schema):
    """A row as mended: a line of NDJSON."""

    row: str = Field(min_length=2, max_length=20_000)


def told(got: Receipt) -> dict[str, Any]:
    """A receipt as JSON."""
    problems = [{"line": p.line, "reason": p.reason, "detail": p.detail} for p in got.problems[:SHOWN]]
    return {
        "delivery": got.delivery, "rows": got.rows, "known": got.known, "refused": got.refused,
        "received": got.received, "replayed": got.replayed, "problems": problems,
    }  # fmt: skip


@router.post("/observations", response={200: ReceiptOut, **REFUSALS}, summary="Send observations in bulk")
def send(request: HttpRequest) -> HttpResponse:
    """NDJSON (a row a line) or an Arrow IPC stream, plain, gzip or zstd; durable and queryable when it is answered.

    A row has `datastream` (its number or key), `phenomenonTime` (ISO 8601 with zone, or an interval) and `result`, and may have
    `unit` (UCUM), `resultTime`, `validTime`, `resultQuality` and `parameters`. The same content again adds nothing. Rows that
    cannot be taken stand in quarantine; the others are taken.
    """
    principal = principal_of(request)
    write_scope(principal)  # nothing is read for those who may not send it
    media_type = (request.content_type or "").lower()
    if media_type not in READERS:
        raise Invalid(
            "This content is not understood.", where=media_type, remedy="Send application/x-ndjson or Arrow IPC."
        )
    content = decode.decompress(request.body, request.headers.get("Content-Encoding", "").lower())
    return as_json(told(accept(READERS[media_type](content), actor=principal)))


@router.post("/quarantine/{int:row}/repair", response={200: ReceiptOut, **REFUSALS}, summary="Mend a refused row")
def repair(request: HttpRequest, row: int, body: RepairIn) -> HttpResponse:
    """Send a refused row again as it was mended."""
    return as_json(told(quarantine.repair(principal_of(request), row, body.row, at=datetime.now(UTC))))


@router.post("/quarantine/{int:row}/drop", response={204: None, **REFUSALS}, summary="Give a refused row up")
def drop(request: HttpRequest, row: int) -> HttpResponse:
    """Leave a refused row out for good; it stays in sight as such."""
    quarantine.drop(principal_of(request), row, at=datetime.now(UTC))
    return HttpResponse(status=204)
