"""The matrix of permissions: every address and method of the URL table, tried as every role."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from ruamel.yaml import YAML

from chengshu.cases.advance import advance
from chengshu.cases.models import Case
from chengshu.cases.records import MoveRequest, NewReport
from chengshu.cases.report import report
from chengshu.parties.access import principal_of
from chengshu.parties.models import Account, Post
from chengshu.parties.tokens import issue
from chengshu.places.models import City

FOLDER = Path(__file__).parent / "matrix"
ACCOUNTS = {
    "operator": "operator",
    "shift_leader": "shift",
    "dispatcher": "dispatcher",
    "handler": "handler",
    "grid_worker": "grid",
    "verifier": "verifier",
    "supervisor": "supervisor",
    "leader": "leader",
    "steward": "steward",
    "analyst": "analyst",
    "administrator": "admin",
    "citizen": "citizen",
}
ROLES = ("anonymous", *ACCOUNTS)
REPORT = {"title": "路面破损", "kind": "urban"}
RULE = {"id": "all", "when": {}, "unit": "330106-CGJ"}
BODIES: dict[str, Any] = {
    "POST /api/cases": REPORT,
    "POST /api/reports": {"reports": [REPORT]},
    "POST /api/moves": {"moves": [{"case": "NEAR_ID", "move": "note", "note": "看过了"}]},
    "POST /api/cases/{ref}/moves": {"move": "note", "note": "看过了"},
    "POST /api/cases/{ref}/contact": {"purpose": "回访反映人"},
    "POST /api/rules/simulate": {"rules": [RULE]},
    "PUT /api/rules": {"rules": [RULE], "why": "试行新规则", "seen": 1},
}
FORMS: dict[str, dict[str, str]] = {
    "POST /cases/<number:number>/contact": {"purpose": "回访反映人"},
    "POST /cases/<number:number>/move": {"move": "note", "note": "看过了"},
    "POST /follow/<number:number>": {"move": "urge"},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An address with a method, and for addresses of a case which case is meant: near (in everybody's area) or far."""

    method: str
    route: str
    where: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.route}" + (f" ({self.where})" if self.where else "")


def rows() -> list[Row]:
    """Every row that the URL table asks for."""
    found: set[Row] = set()
    for route, view in _routes(get_resolver().url_patterns, ""):
        for method in _methods(view):
            cases = ("near", "far") if re.search(r"\{ref\}|<number:number>", route) else ("",)
            found |= {Row(method=method, route=route, where=where) for where in cases}
    return sorted(found, key=lambda row: (row.route, row.method, row.where))


def _routes(patterns: list[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield "/" + _ninja(prefix + str(pattern.pattern)), pattern.callback


def patterns(below: list[Any] | None = None) -> Iterator[URLPattern]:
    """Every named address of the URL table."""
    for pattern in get_resolver().url_patterns if below is None else below:
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern.url_patterns)
        elif pattern.name:
            yield pattern


def _ninja(route: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route) if route.startswith("api/") else route


def _methods(view: Any) -> tuple[str, ...]:
    if hasattr(view, "methods"):
        return tuple(view.methods)
    operations = getattr(getattr(view, "__self__", None), "operations", None)
    if operations is None:  # django-ninja wraps its path views in a closure
        cells = [cell.cell_contents for cell in getattr(view, "__closure__", None) or ()]
        operations = next((c.operations for c in cells if hasattr(c, "operations")), None)
    return tuple(sorted({m for operation in operations for m in operation.methods})) if operations else ("GET",)


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Two cases to try: one in the handler's unit, grid and area, reported by the citizen; one in another district."""

    near: Case
    far: Case
    tokens: dict[str, str]

    def path(self, row: Row) -> str:
        case = self.far if row.where == "far" else self.near
        unknown = "00000000-0000-0000-0000-000000000000"
        path = row.route.replace("{ref}", case.number).replace("<number:number>", case.number)
        path = path.replace("<slug:name>", "reported").replace("<int:id>", "0")
        return path.replace("{id}", unknown).replace("<uuid:id>", unknown)


def world(city: City) -> World:
    """The cases are dispatched: whoever sees them may write a note."""
    citizen = principal_of(Account.objects.get(username="citizen"))
    other = principal_of(Account.objects.get(username="operator"))
    grid = Post.objects.select_related("division").get(account__username="grid").division.code
    near = _dispatched(citizen, "near", grid, "330106-CGJ")
    far = _dispatched(other, "far", "330109", "330109-CGJ")
    posts = {role: Post.objects.filter(account__username=name).order_by("pk")[0] for role, name in ACCOUNTS.items()}
    tokens = {role: issue(post, "matrix") for role, post in posts.items()}
    return World(near=near, far=far, tokens=tokens)


def _dispatched(reporter: Any, key: str, division: str, unit: str) -> Case:
    by = {name: principal_of(Account.objects.get(username=name)) for name in ("operator", "shift", "dispatcher")}
    new = NewReport(
        origin="matrix", origin_key=key, title="暴露垃圾", type="env.exposed_rubbish", occurred_at=datetime.now(UTC),
        division=division, place_text="路口", contact={"name": "张三", "phone": "13800000000"},
    )  # fmt: skip
    [verdict] = report([new], city=reporter.city, actor=reporter)
    for name, move, more in (
        ("operator", "accept", {}),
        ("shift", "register", {}),
        ("dispatcher", "dispatch", {"unit": unit}),
    ):
        if move == "register":
            _prove(verdict.case)
        [done] = advance([MoveRequest(case=verdict.case, move=move, **more)], actor=by[name])
        assert done.ok, (name, done)
    return Case.objects.get(pk=verdict.case)


def _prove(case: Any) -> None:
    """A photo, as the case type demands."""
    from chengshu.cases.models import Evidence
    from chengshu.core.ids import new_id

    Evidence.objects.create(
        id=new_id(), case_id=case, digest="0" * 64, media_type="image/jpeg", size=1, at=datetime.now(UTC)
    )


def outcome(row: Row, role: str, made: World) -> str:
    """What happens: one of the outcomes that matrix/ explains."""
    client = Client()
    headers: dict[str, str] = {}
    if role != "anonymous" and row.route.startswith("/api/"):
        headers = {"Authorization": f"Bearer {made.tokens[role]}"}
    elif role != "anonymous":
        client.force_login(Account.objects.get(username=ACCOUNTS[role]))
    body = BODIES.get(f"{row.method} {row.route}", {})
    text = json.dumps(body).replace("NEAR_ID", str(made.near.pk))
    json_api = row.route.startswith("/api/") and row.method != "GET"
    response = client.generic(
        row.method, made.path(row), text if json_api else urlencode(FORMS.get(f"{row.method} {row.route}", {})),
        content_type="application/json" if json_api else "application/x-www-form-urlencoded", headers=headers,
    )  # fmt: skip
    return _word(response)


def _word(response: Any) -> str:
    status = response.status_code
    if status in (301, 302, 303) and (target := response["Location"]).startswith(("/login", "/follow?")):
        return "login" if target.startswith("/login") else "word"
    words = {
        401: "401",
        403: "forbidden",
        404: "missing",
        409: "refused",
        422: "refused",
        400: "refused",
        415: "refused",
    }
    return words.get(status, "ok" if status < 400 else f"status {status}")


def expected() -> dict[str, dict[str, str]]:
    """For each row the outcome of each role, from the files in matrix/."""
    read = YAML(typ="safe").load
    groups: dict[str, list[str]] = read(FOLDER / "groups.yaml")
    files = sorted(file for file in FOLDER.glob("*.yaml") if file.stem != "groups")
    return {name: dict(_spread(outcomes, groups)) for file in files for name, outcomes in read(file).items()}


def _spread(outcomes: dict[str, list[str]], groups: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """(role, outcome) for a row; `rest` names all roles not named otherwise."""
    named = [role for names in outcomes.values() for n in names for role in groups.get(n, [n])]
    for word, names in outcomes.items():
        for name in names:
            roles = [r for r in ROLES if r not in named] if name == "rest" else groups.get(name, [name])
            yield from ((role, word) for role in roles)
