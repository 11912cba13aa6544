"""What a telephone kept while it had no network comes here, each thing under a key of its own: done once, however often sent.

The answer is JSON, a verdict for the one thing sent. The telephone keeps what was not done until its owner throws it away
(frontend/src/field/sending.ts; docs/decisions/0020-offline-queue.md).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases import answers, search
from chengshu.cases.answers import Answer
from chengshu.cases.detail import detail, find
from chengshu.cases.models import Case, Step
from chengshu.core.errors import ChengshuError, Conflict, Invalid
from chengshu.parties.throttle import TooMany
from chengshu.web import words
from chengshu.web.context import FIELD, owner
from chengshu.web.field import job, onsite, patrol
from chengshu.web.field.todo import onwards
from chengshu.web.moves import Failed, make
from chengshu.web.pages import Request, known, page, text
from chengshu.web.words import local

KEY = re.compile(r"[A-Za-z0-9-]{8,80}")
FIELDS = (
    "kind", "owner", "number", "move", "version", "seq", "note", "until", "title", "type", "place", "description", "lon", "lat",
    "accuracy", "done_at",
)  # fmt: skip
Word = Literal["done", "moved", "refused", "other", "later"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What became of one thing that a telephone sent.

    Attributes:
        verdict: done; moved: the case has moved on since it was seen; refused; other: it belongs to another account or post;
            later: try again after a while.
        says: why, or what was done, in the reader's language.
        href: where to go on; number, version, seq: of the case as it stands now.
        since: what others did meanwhile, a line each; `possible` when the act could be made all the same.
    """

    verdict: Word
    says: str
    href: str = ""
    number: str = ""
    version: int | None = None
    seq: int | None = None
    since: Sequence[str] = ()
    possible: bool = False


_decode = msgspec.json.Decoder(Sent).decode


@page("POST", account=True)
def sync(request: Request) -> HttpResponse:
    """Take one thing in."""
    try:
        status, sent = _sent(request)
    except TooMany as error:
        status, sent = error.status, Sent(verdict="later", says=_why(error))
    except ChengshuError as error:
        status, sent = error.status, Sent(verdict="refused", says=_why(error))
    return HttpResponse(msgspec.json.encode(sent), status=status, content_type="application/json")


def _why(error: ChengshuError) -> str:
    return " ".join(filter(None, (_(error.what), _(error.remedy) if error.remedy else "")))


def _sent(request: Request) -> tuple[int, Sent]:
    principal = request.principal
    if text(request, "owner", 60) != owner(principal) or principal.role not in FIELD:
        says = _("This was written by another account, or in another post: sign in there to send it.")
        return Conflict.status, Sent(verdict="other", says=says)
    key = text(request, "key", 100)
    if not KEY.fullmatch(key):
        raise Invalid(
            _("This came without a key."), where="key", remedy=_("Open the page again and send it from there.")
        )
    who, asked = f"{principal.account}:{principal.post}", _digest(request)
    work = _report if text(request, "kind", 10) == "report" else _move
    # What was done before is told again at once, so that its photos are not stored a second time.
    answer = answers.earlier(who, key, asked) or answers.once(who, key, asked, lambda: work(request, key))
    return answer.status, _decode(answer.body)


def _digest(request: Request) -> str:
    """Of the fields and files, not of the body: a browser draws the lines between the parts anew each time."""
    total = hashlib.sha256(msgspec.json.encode([text(request, name, 20_000) for name in FIELDS]))
    for file in request.FILES.getlist("evidence"):
        total.update(f"{file.name}\0{file.size}\0".encode())
        for chunk in file.chunks():
            total.update(chunk)
        file.seek(0)
    return total.hexdigest()


def _packed(status: int, sent: Sent) -> Answer:
    return Answer(status=status, body=msgspec.json.encode(sent))


def _move(request: Request, key: str) -> Answer:
    """Make a move on the version that was seen."""
    code, case = text(request, "move", 50), find(request.principal, text(request, "number", 60))
    if not text(request, "version", 10):
        raise Invalid(
            _("This came without the version of the case."), where="version", remedy=_("Open the case again.")
        )
    failed = make(request, request.principal, case, code, onsite=onsite.read(request))
    if failed is not None:
        return _packed(failed.status, _failed(request, case, code, failed))
    stands = search.read(known(request), case.pk)
    done = Sent(
        verdict="done", says=job.said(request, case, code), href=onwards(request, case), number=case.number,
        version=stands.version, seq=stands.seq,
    )  # fmt: skip
    return _packed(200, done)


def _failed(request: Request, case: Case, code: str, failed: Failed) -> Sent:
    refused = Sent(
        verdict="refused", says=failed.why, number=case.number, href=reverse("field_job", args=[case.number])
    )
    if failed.status != Conflict.status:
        return refused
    story = detail(request.principal, case.number)
    return replace(
        refused,
        verdict="moved",
        version=story.case.version,
        seq=story.case.seq,
        since=[_line(request, step) for step in job.since(request, story)],
        possible=any(act.move.code == code for act in story.allowed),
    )


def _line(request: Request, step: Step) -> str:
    """A step of somebody else in one line; a reporter's name is not told."""
    who = step.account.name if step.account and step.role != "citizen" else words.role(step.role)
    line = f"{words.moment(step.at, known(request).zone)} {local(step.move, 'label')} · {who}"
    return f"{line}: {step.note}" if step.note else line


def _report(request: Request, key: str) -> Answer:
    """Take a report from patrol."""
    form, number = patrol.take(request, key)
    if not number:
        return _packed(Invalid.status, Sent(verdict="refused", says=" ".join(form.errors.values())))
    href = reverse("field_job", args=[number])
    return _packed(200, Sent(verdict="done", says=patrol.reported(number), href=href, number=number))
