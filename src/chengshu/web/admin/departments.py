"""Departments: who handles, for which jurisdiction, and who works there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.cases import touched
from chengshu.packs import editing
from chengshu.packs.editing import Proposal
from chengshu.parties import staff
from chengshu.parties.models import Department, Post
from chengshu.places.models import City
from chengshu.web.admin import field_words, rows
from chengshu.web.admin.frame import ADMIN, READERS, may_edit
from chengshu.web.forms import Form
from chengshu.web.pages import Request, known, page, text
from chengshu.web.pages import respond as answer

NAMES = ("code", "name", "name_en", "level", "parent", "function", "division", "kind")
LEVELS = ("city", "district", "street", "community")
SIZE = 100  # departments in one list


@dataclass(frozen=True, kw_only=True, slots=True)
class DepartmentsPage:
    """The departments of a city that fit the filters: a part of them, and how many there are."""

    departments: Sequence[Department]
    people: Mapping[int, int]
    open_cases: Mapping[int, int]
    count: int
    total: int
    q: str
    level: str
    show: str
    next: str
    may_edit: bool
    functions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What the fields of the form offer, and who holds posts there today."""

    functions: Mapping[str, str]
    levels: tuple[str, ...]
    kinds: Mapping[str, str]
    posts: Sequence[Post]


@page(roles=READERS)
def show(request: Request) -> HttpResponse:
    """The departments, by level and code."""
    city, q = known(request).city, text(request, "q", 60)
    level, wanted = text(request, "level", 12), text(request, "show", 12)
    people = staff.handlers(city)
    open_cases = touched.by_departments(city.pk)
    found = staff.departments(city, q, field_words.LEVELS_BY_NAME.get(level), wanted, people)
    if wanted == "led":
        found = [d for d in found if d.pk in open_cases and d.pk not in people]
    start = int(text(request, "from", 6) or 0) if text(request, "from", 6).isdecimal() else 0
    return answer(
        request,
        "admin/departments.html",
        DepartmentsPage(
            departments=found[start : start + SIZE],
            people=people,
            open_cases=open_cases,
            count=len(found),
            total=len(known(request).departments),
            q=q,
            level=level,
            show=wanted,
            next=f"?q={q}&level={level}&show={wanted}&from={start + SIZE}" if len(found) > start + SIZE else "",
            may_edit=may_edit(request),
            functions=field_words.functions(known(request)),
        ),
    )


@page("GET", roles=READERS)
def show_one(request: Request) -> HttpResponse:
    """One department, or the form for a new one."""
    return rows.show(request, SHEET)


@page("POST", roles=ADMIN)
def send(request: Request) -> HttpResponse:
    """Check, save or retire a department."""
    return rows.send(request, SHEET)


def _read(request: Request) -> dict[str, str]:
    values = {name: text(request, name, 300) for name in NAMES}
    return values | {"last_resort": "yes" if text(request, "last_resort", 5) else ""}


def _check(form: Form) -> None:
    form.require("name", _("Enter the name."))
    form.require("division", _("Enter the code of its jurisdiction."))
    if not form.require("code", _("Enter a code.")).replace("-", "").replace("_", "").replace(".", "").isalnum():
        form.errors.setdefault("code", _("Use letters, digits and . _ - only in the code."))


def _propose(request: Request, city: City, content: Mapping[str, str], key: str) -> Proposal:
    return editing.propose_department(city, content, key=key)


def _choices(request: Request) -> Choices:
    catalog, code = known(request), text(request, "code", 200)
    own = Post.objects.none()
    if code in catalog.department_codes:
        own = staff.holding(Post.objects.filter(department=catalog.department_codes[code]), catalog.city)
    return Choices(
        functions=field_words.functions(catalog),
        levels=LEVELS,
        kinds=field_words.KINDS,
        posts=list(own.select_related("account").order_by("role", "pk")[:50]),
    )


SHEET = rows.Sheet(
    table="departments",
    template="admin/department.html",
    address=lambda: reverse("admin_department"),
    columns=NAMES,
    empty={"level": "district", "kind": "unit"},
    read=_read,
    check=_check,
    propose=_propose,
    retire=editing.retire_department,
    touched=touched.by_department,
    more=_choices,
)
