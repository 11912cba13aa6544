"""Files of a case, given out to those who may see them."""

from __future__ import annotations

from uuid import UUID

from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase

from chengshu.cases import evidence as store
from chengshu.cases.following import sees_file, shows
from chengshu.cases.models import Evidence
from chengshu.cases.visibility import visible
from chengshu.parties.roles import Role
from chengshu.web.pages import Request, page
from chengshu.web.portal import visitor


@page()
def show(request: Request, number: str, id: UUID) -> HttpResponse:
    """A file of a case: to staff who see the case, to its reporter as far as it is public."""
    found = Evidence.objects.filter(pk=id, case__number=number).first()
    if found is None or not _may(request, found, number):
        raise Http404
    answer = FileResponse(store.path_of(found.digest).open("rb"), content_type=found.media_type)
    answer["Cache-Control"] = "private, max-age=86400, immutable"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    if found.media_type == "application/pdf":  # no browser shows it in a sandbox
        answer["Content-Disposition"] = "attachment"
    return _as_response(answer)


def _as_response(answer: HttpResponseBase) -> HttpResponse:
    return answer  # type: ignore[return-value]  # a streaming answer; the decorator passes it through


def _may(request: Request, found: Evidence, number: str) -> bool:
    if found.case_id is None:
        return False
    if (follower := visitor.follower(request, number)) and shows(follower, number, found):
        return True
    principal = request.principal
    if principal.role == Role.CITIZEN:
        return principal.account is not None and sees_file(principal, found)
    return visible(principal).filter(pk=found.case_id).exists()
