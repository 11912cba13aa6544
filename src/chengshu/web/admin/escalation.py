"""Escalation: when a clock warns, and who is told of a case that is late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid
from chengshu.core.limits import Unit
from chengshu.parties.roles import STAFF, Role
from chengshu.web.admin import parts
from chengshu.web.admin.frame import ADMIN, READERS
from chengshu.web.pages import Request, page, text

SPARE = 1  # empty rows, for a new level
MOST = 12  # levels of a form


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What the fields offer; `rows` are the levels and an empty one."""

    roles: Sequence[str]
    units: tuple[Unit, ...]
    rows: Sequence[dict[str, Any]]
    percent: int
    tracker: str


@page("GET", roles=READERS)
def show(request: Request) -> HttpResponse:
    """The levels of escalation."""
    return parts.show(request, KIND)


@page("POST", roles=ADMIN)
def send(request: Request) -> HttpResponse:
    """Check or save the levels."""
    return parts.send(request, KIND)


def _read(request: Request, value: Any) -> Any:
    levels = [level for i in range(MOST) if (level := _level(request, i))]
    share = text(request, "warn_percent", 5)
    if not (share.isascii() and share.isdecimal() and 1 <= int(share) <= 100):
        raise Invalid(_("The share is no number from 1 to 100."), where="warn_percent", remedy=_("Such as 75."))
    value |= {"levels": levels, "warn_share": int(share) / 100}
    tracker = text(request, "urgent_tracker", 30)
    if tracker:
        value["urgent_tracker"] = tracker
    else:
        value.pop("urgent_tracker", None)
    return value


def _level(request: Request, i: int) -> dict[str, Any] | None:
    """One row of the form; an empty time drops it."""
    amount = text(request, f"amount_{i}", 6)
    if not amount:
        return None
    level = {
        "level": i + 1,
        "after": f"{amount}{text(request, f'unit_{i}', 2)}",
        "notify": [role for role in request.POST.getlist(f"notify_{i}") if role in set(Role)],
        "at": text(request, f"at_{i}", 10),
        "because": text(request, f"because_{i}", 300),
    }
    english = text(request, f"because_en_{i}", 300)
    return level | ({"because_en": english} if english else {})


def _more(request: Request, value: Any, now: Any) -> Choices:
    empty = {"after": "", "notify": [], "at": "unit", "because": "", "because_en": ""}
    rows = [empty | level for level in (*value["levels"], *[{} for _row in range(SPARE)])]
    roles = [role.value for role in Role if role in STAFF]
    return Choices(
        roles=roles,
        units=tuple(Unit),
        rows=rows[:MOST],
        percent=round(100 * value["warn_share"]),
        tracker=value.get("urgent_tracker", ""),
    )


KIND = parts.Kind(
    name="escalation", route="admin_escalation", template="admin/escalation.html", read=_read, more=_more,
    empty={"levels": [], "warn_share": 0.75},
)  # fmt: skip
