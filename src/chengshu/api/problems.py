"""Every refusal of the API has one shape: RFC 9457 problem+json."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import Field

from chengshu.core import problems
from chengshu.core.errors import ChengshuError, Mistakes
from chengshu.core.problems import KIND
from chengshu.logs import get_logger
from chengshu.parties.throttle import TooMany

log = get_logger(__name__)

REMEDIES = {
    400: "Send what /api/openapi.json describes: JSON in UTF-8, or for a file a multipart form with the field `file`.",
    401: "Send `Authorization: Bearer TOKEN`.",
    403: "Sign in with a post that may do this; a page also sends its CSRF token.",
    404: "Look at /api/openapi.json for the addresses.",
    405: "Look at /api/openapi.json for the methods of this address.",
    411: "Send Content-Length instead of Transfer-Encoding.",
    413: "Send less at once.",
    429: "Try again later.",
    500: "Try again; if it happens again, tell the operator the X-Request-ID of this answer.",
}


class Problem(Schema):
    """What went wrong, where, and what to do."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(description="the status in words")
    status: int
    detail: str = Field(description="what is wrong")
    instance: str = Field("", description="where: the case, field or file")
    remedy: str = Field("", description="what to do")
    errors: list[dict[str, Any]] = Field(default_factory=list, description="each mistake, where there are several")


def problem(
    status: int, detail: str, *, where: str = "", remedy: str = "", errors: list[Any] | None = None
) -> HttpResponse:
    body = problems.problem(status, detail, where=where, remedy=remedy, errors=errors or ())
    return HttpResponse(body, status=status, content_type=KIND)


def install(api: NinjaAPI) -> None:
    """Give an API the one shape for all its errors."""

    @api.exception_handler(ChengshuError)
    def ours(request: HttpRequest, error: ChengshuError) -> HttpResponse:
        each = (
            [{"where": m.where, "what": m.what, "remedy": m.remedy} for m in error.mistakes]
            if isinstance(error, Mistakes)
            else []
        )
        response = problem(error.status, error.what, where=error.where, remedy=error.remedy, errors=each)
        if isinstance(error, TooMany):
            response["Retry-After"] = str(error.seconds)
        if error.status == 401:
            response["WWW-Authenticate"] = "Bearer"
        return response

    @api.exception_handler(ValidationError)
    def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
        each = [{"where": ".".join(map(str, e["loc"])), "what": e["msg"], "remedy": ""} for e in error.errors]
        return problem(
            422, "The request does not fit its schema.", remedy="Mend the fields named in `errors`.", errors=each
        )

    @api.exception_handler(AuthenticationError)
    def unknown(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        response = problem(401, "Nobody is signed in.", remedy="Send `Authorization: Bearer TOKEN`.")
        response["WWW-Authenticate"] = "Bearer"
        return response

    @api.exception_handler(HttpError)
    def http(request: HttpRequest, error: HttpError) -> HttpResponse:
        return problem(error.status_code, error.message, remedy=REMEDIES.get(error.status_code, ""))

    @api.exception_handler(OperationalError)
    def away(request: HttpRequest, error: OperationalError) -> HttpResponse:
        log.warning("database.away", error=str(error))
        response = problem(503, "The database cannot answer now.", remedy="Try again in a moment, with the same keys.")
        response["Retry-After"] = "2"
        return response

    @api.exception_handler(RequestDataTooBig)
    def too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
        return problem(413, "The body is larger than is taken.", remedy=REMEDIES[413])

    @api.exception_handler(MultiPartParserError)
    def no_form(request: HttpRequest, error: MultiPartParserError) -> HttpResponse:
        return problem(400, f"The form cannot be read: {error}", remedy=REMEDIES[400])


def one_shape(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """The middleware for refusals that never reach the API: no such address or method, a host that is not ours."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code < 400 or not request.path.startswith("/api/") or response["Content-Type"] == KIND:
            return response
        status = response.status_code
        found = problem(
            status, f"{HTTPStatus(status).description or HTTPStatus(status).phrase}.", remedy=REMEDIES.get(status, "")
        )
        if "Allow" in response:
            found["Allow"] = response["Allow"]
        return found

    return answer
