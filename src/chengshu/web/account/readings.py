"""Who looked at my data: every reading of one's own personal data, with what it was for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases import readings
from chengshu.cases.readings import Reading
from chengshu.web.pages import Request, page, respond

PURPOSES = {
    gettext_noop("performance evaluation"),
    gettext_noop("search by telephone"),
}  # those that the platform states


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadingsPage:
    """The newest readings of the data of the person signed in, each with its purpose in words."""

    readings: Sequence[tuple[Reading, str]]
    most: int


@page(account=True)
def show(request: Request) -> HttpResponse:
    """The readings of one's own data."""
    found = [(reading, _purpose(reading)) for reading in readings.about(request.principal.account or 0)]
    return respond(request, "account/readings.html", ReadingsPage(readings=found, most=readings.MOST))


def _purpose(reading: Reading) -> str:
    return _(reading.purpose) if reading.purpose in PURPOSES else reading.purpose
