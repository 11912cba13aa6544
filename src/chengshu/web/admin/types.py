"""Case types: what a case is about, its standards, and its limits by stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases import touched
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import STAGES, CaseType
from chengshu.core.errors import Invalid
from chengshu.core.limits import Limit, Unit
from chengshu.packs import editing
from chengshu.packs.editing import Proposal
from chengshu.places.models import City
from chengshu.web import words
from chengshu.web.admin import rows
from chengshu.web.admin.frame import ADMIN, READERS, may_edit
from chengshu.web.forms import Form
from chengshu.web.pages import Request, known, page, text
from chengshu.web.pages import respond as answer

TEXTS = (
    "code", "kind", "major", "major_en", "minor", "minor_en", "name", "name_en", "register_standard", "close_standard",
    "severity", "source",
)  # fmt: skip
UNITS = (Unit.MINUTES, Unit.HOURS, Unit.WORKING_HOURS, Unit.WORKING_DAYS, Unit.CALENDAR_DAYS)


@dataclass(frozen=True, kw_only=True, slots=True)
class TypesPage:
    """The case types of a city that fit the filters."""

    types: Sequence[CaseType]
    open_cases: Mapping[int, int]
    total: int
    q: str
    kind: str
    show: str
    kinds: Sequence[tuple[str, str]]
    may_edit: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What the fields of the form offer."""

    kinds: Sequence[tuple[str, str]]
    classes: Sequence[tuple[str, str, str, str]]
    stages: tuple[str, ...]
    units: tuple[Unit, ...]


@page(roles=READERS)
def show(request: Request) -> HttpResponse:
    """All case types, by class."""
    catalog, q = known(request), text(request, "q", 60)
    kind, wanted = text(request, "kind", 40), text(request, "show", 12)
    found = [t for t in catalog.types.values() if _fits(catalog, t, q.casefold(), kind, wanted)]
    found.sort(key=lambda t: (t.kind_id, t.major, t.minor, t.code))
    return answer(
        request,
        "admin/types.html",
        TypesPage(
            types=found, open_cases=touched.by_types(catalog.city.pk), total=len(catalog.types), q=q, kind=kind,
            show=wanted, kinds=_kinds(catalog), may_edit=may_edit(request),
        ),
    )  # fmt: skip


def _fits(catalog: Catalog, type: CaseType, q: str, kind: str, wanted: str) -> bool:
    words = " ".join((type.code, type.name, type.name_en, type.major, type.minor)).casefold()
    if q not in words or (kind and catalog.kinds[type.kind_id].code != kind):
        return False
    if wanted == "retired":
        return not type.active
    return type.active and not (wanted == "no_limit" and any(type.limits.values()))


def _kinds(catalog: Catalog) -> list[tuple[str, str]]:
    return [(kind.code, kind.label) for kind in catalog.kinds.values()]


@page("GET", roles=READERS)
def show_one(request: Request) -> HttpResponse:
    """One case type, or the form for a new one."""
    return rows.show(request, SHEET)


@page("POST", roles=ADMIN)
def send(request: Request) -> HttpResponse:
    """Check, save or retire a case type."""
    return rows.send(request, SHEET)


def _read(request: Request) -> dict[str, str]:
    values = {name: text(request, name, 2_000) for name in TEXTS}
    values["urgent"] = "yes" if text(request, "urgent", 5) else "no"
    values["evidence"] = "+".join(name for name in ("photo", "place") if text(request, f"evidence_{name}", 5))
    for stage in STAGES:
        amount = text(request, f"{stage}_amount", 6)
        values[f"{stage}_limit"] = f"{amount}{text(request, f'{stage}_unit', 2)}" if amount else ""
    return values


def _check(form: Form) -> None:
    form.require("name", _("Enter the name."))
    form.require("major", _("Enter the class."))
    form.require("minor", _("Enter the group."))
    if not form.require("code", _("Enter a code.")).replace(".", "").replace("-", "").replace("_", "").isalnum():
        form.errors.setdefault("code", _("Use letters, digits and . _ - only in the code."))
    for stage in STAGES:
        try:
            value = form.get(f"{stage}_limit")
            Limit.parse(value) if value else None
        except Invalid:
            form.errors[f"{stage}_amount"] = _("Limit for %(stage)s: enter a whole number.") % {
                "stage": words.stage(stage)
            }


def _propose(request: Request, city: City, content: Mapping[str, str], key: str) -> Proposal:
    return editing.propose_type(city, content, key=key, since=_since(request))


def _since(request: Request) -> datetime | None:
    """The moment from which changed limits count: that of the form, in the city's zone; now when it is empty."""
    value = text(request, "since", 20)
    if not value:
        return None
    zone = known(request).zone
    try:
        moment = datetime.fromisoformat(value).replace(tzinfo=zone)
    except ValueError as error:
        raise Invalid(
            _("This is not a time."), where="limits_since", remedy=_("Write it as 2026-01-31T17:30.")
        ) from error
    if moment < datetime.now(zone) - timedelta(minutes=5):
        raise Invalid(
            _("A limit cannot count from a time that has passed."),
            where="limits_since",
            remedy=_("Leave it empty for now."),
        )
    return moment


def _choices(request: Request) -> Choices:
    catalog = known(request)
    classes = Counter((t.major, t.major_en, t.minor, t.minor_en) for t in catalog.types.values() if t.active)
    return Choices(kinds=_kinds(catalog), classes=sorted(classes), stages=STAGES, units=UNITS)


SHEET = rows.Sheet(
    table="types",
    template="admin/type.html",
    address=lambda: reverse("admin_type"),
    columns=TEXTS,
    empty={"severity": "3", "urgent": "no"},
    read=_read,
    check=_check,
    propose=_propose,
    retire=editing.retire_type,
    touched=touched.by_type,
    more=_choices,
)
