"""The matrix of permissions: every address and method of the URL table, tried as every role."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from ruamel.yaml import YAML

from chengshu.parties.models import Account
from tests.web.world import ACCOUNTS, Things, World

FOLDER = Path(__file__).parent / "matrix"
ROLES = ("anonymous", *ACCOUNTS)
REPORT = {"title": "路面破损", "kind": "urban"}
RULE = {"id": "all", "when": {}, "unit": "330106-CGJ", "because": "试行"}
BODIES: dict[str, Any] = {
    "POST /api/cases": REPORT,
    "POST /api/reports": {"reports": [REPORT]},
    "POST /api/moves": {"moves": [{"case": "NEAR_ID", "move": "note", "note": "看过了"}]},
    "POST /api/cases/{ref}/moves": {"move": "note", "note": "看过了"},
    "POST /api/cases/{ref}/contact": {"purpose": "回访反映人"},
    "POST /api/quarantine/{row}/repair": {"row": "{}"},
    "POST /api/rules/simulate": {"rules": [RULE]},
    "PUT /api/rules": {"rules": [RULE], "why": "试行新规则", "seen": 1},
}
# What is sent with a request, in the query of a GET; {names} are things of the world: a row with one is tried with one's own
# and with that of another. Forms of administration are complete: but for the post that sends them, they would be saved.
FORMS: dict[str, dict[str, str]] = {
    "POST /cases/<number:number>/contact": {"purpose": "回访反映人"},
    "POST /cases/<number:number>/move": {"move": "note", "note": "看过了"},
    "POST /field/<number:number>/contact": {"purpose": "回访反映人"},
    "POST /field/<number:number>/move": {"move": "note", "note": "看过了"},
    "POST /follow/<number:number>": {"move": "urge"},
    "POST /post": {"post": "{post}"},
    "POST /notices/read": {"notice": "{notice}"},
    "POST /account/channels/verify": {"channel": "{channel}", "code": "000000"},
    "POST /account/channels/code": {"channel": "{channel}"},
    "POST /account/channels/change": {"channel": "{channel}"},
    "POST /account/channels/remove": {"channel": "{channel}"},
    "POST /account/deliveries/again": {"delivery": "{delivery}"},
    "POST /deliveries/again": {"delivery": "{city_delivery}"},
    "POST /account/sessions/end": {"session": "{session}"},
    "POST /account/passkeys/remove": {"passkey": "{passkey}"},
    "GET /admin/accounts/one": {"login": "{account}"},
    "POST /admin/accounts/act": {"login": "{account}", "do": "give", "role": "analyst", "why": "支援"},
    "POST /admin/accounts/new": {"username": "new-one", "name": "新人", "language": "en", "why": "入职"},
    "POST /admin/approvals/decide": {"number": "{proposal}", "do": "agree"},
    "GET /admin/pack/plan": {"number": "{upload}"},
    "POST /admin/pack/plan": {"number": "{upload}", "seen": "{version}", "why": "恢复"},
    "GET /admin/changes/one": {"number": "{change}"},
    "POST /admin/outbox/again": {"number": "{outbox}"},
    "GET /sensing/sources/one": {"name": "{feed}"},
    "POST /sensing/sources/act": {"name": "{feed}", "do": "off"},
    "POST /admin/types/save": {
        "code_now": "{type}", "seen": "{type_seen}", "kind": "{kind}", "name": "改名", "major": "{major}",
        "minor": "{minor}", "severity": "3", "do": "save", "why": "改名",
    },
    "GET /admin/moves/one": {"kind": "{kind}", "code": "note"},
    "POST /admin/moves/save": {
        "kind": "{kind}", "code_now": "note", "seen": "{life_seen}", "label": "记一笔", "label_en": "Jot", "from": "reported",
        "to": "same", "roles": "operator", "because": "改名", "do": "save", "why": "改名",
    },
    "POST /admin/departments/save": {
        "code_now": "{department}", "seen": "{department_seen}", "name": "改名", "level": "district", "kind": "unit",
        "division": "{division}", "function": "{function}", "do": "save", "why": "改名",
    },
    "POST /admin/calendar/save": {
        "first": "2099-01-01", "sort": "holidays", "name": "元旦", "seen": "1", "do": "save", "why": "放假",
    },
    "POST /admin/parameters/save": {
        "name": "reopen_window_days", "value": "45", "since": "2099-01-01", "seen": "1", "do": "save", "why": "放宽",
    },
    "POST /admin/escalation/save": {
        "warn_percent": "80", "amount_0": "0", "unit_0": "m", "at_0": "unit", "because_0": "到期", "notify_0": "handler",
        "seen": "1", "do": "save", "why": "简化",
    },
    "POST /admin/notices/save": {"kind": "due", "subject_zh-hans": "超期", "seen": "0", "do": "save", "why": "统一"},
    "POST /admin/thing-types/save": {
        "code_0": "gauge", "name_0": "表", "late_0": "1h", "silent_0": "1d", "source_0": "x", "seen": "1", "do": "check",
    },
    "POST /rules/edit": {
        "rules": "- {{id: all, when: {{}}, unit: 330106-CGJ, because: 试行}}", "seen": "1", "do": "save", "why": "试行",
    },
    "POST /things/act": {"thing": "{thing}", "do": "upkeep", "why": "倾斜"},
    "POST /things/<int:id>/act": {"do": "upkeep", "why": "倾斜"},
    "POST /sensing/quarantine/act": {"row": "{quarantined}", "do": "drop"},
    "POST /rules/restore": {"version": "1", "seen": "1", "why": "恢复"},
}  # fmt: skip
THINGS = {  # what the number in an address is
    "/desk/views/<int:id>/delete": "view",
    "/cockpit/handover/<int:id>": "handover",
    "/cockpit/handover/<int:id>/take": "handover",
    "/things/<int:id>": "thing",
    "/things/<int:id>/act": "thing",
    "/api/quarantine/{row}/repair": "quarantined",
    "/api/quarantine/{row}/drop": "quarantined",
}
CASES = ("near", "far", "abroad")
_CASE = re.compile(r"\{ref\}|\{id\}|<number:number>")
_THING = re.compile(r"(?<!\{)\{\w+\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An address with a method, and `where`: which case or whose thing is meant, if any."""

    method: str
    route: str
    where: str = ""

    @property
    def request(self) -> str:
        return f"{self.method} {self.route}"

    @property
    def name(self) -> str:
        return self.request + (f" ({self.where})" if self.where else "")

    def form(self, things: Things) -> dict[str, str]:
        return {name: text.format_map(things) for name, text in FORMS.get(self.request, {}).items()}

    def path(self, made: World, things: Things) -> str:
        where = self.where if self.where in CASES else "near"
        number, file = made.cases[where].number, made.files[where]
        path = self.route.replace("{ref}", number).replace("<number:number>", number).replace("<slug:name>", "reported")
        path = path.replace("{id}", file).replace("<uuid:id>", file)
        for scene, indicator in (("{scene}", "{indicator}"), ("<slug:scene>", "<slug:indicator>")):
            path = path.replace(scene, "crowd").replace(indicator, "network_inflow")
        path = path.replace("{row}", things.get("quarantined", "0"))
        path = path.replace("<path:path>", "Things" if self.method in ("GET", "POST") else "Things(0)")
        return path.replace("<int:id>", things.get(THINGS.get(self.route, ""), "0"))


def rows() -> list[Row]:
    """Every row that the URL table asks for."""
    found = {
        Row(method=method, route=route, where=where)
        for route, view in _routes(get_resolver().url_patterns, "")
        for method in _methods(view)
        for where in _wheres(method, route)
    }
    return sorted(found, key=lambda row: (row.route, row.method, row.where))


def _wheres(method: str, route: str) -> tuple[str, ...]:
    if _CASE.search(route):
        return CASES
    named = route in THINGS or any(_THING.search(text) for text in FORMS.get(f"{method} {route}", {}).values())
    return ("own", "other") if named else ("",)


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


@cache
def _handler() -> Any:
    """What answers all requests: to load the middleware for each of thousands takes longer than the answers."""
    return Client().handler


def outcome(row: Row, role: str, made: World) -> str:
    """What happens: one of the outcomes that matrix/ explains."""
    client = Client(raise_request_exception=False)
    client.handler = _handler()
    headers: dict[str, str] = {}
    if role != "anonymous" and row.route.startswith("/api/"):
        headers = {"Authorization": f"Bearer {made.tokens[role]}"}
    elif role != "anonymous":
        client.force_login(Account.objects.get(username=ACCOUNTS[role]))
    things = (made.other if row.where == "other" else made.own).get(role, made.own["operator"])
    path, form = row.path(made, things), urlencode(row.form(things))
    if row.method == "GET":
        return _told(client.get(f"{path}?{form}" if form else path, headers=headers))
    text, kind = form, "application/x-www-form-urlencoded"
    if row.route.startswith("/api/"):
        text = json.dumps(BODIES.get(row.request, {})).replace("NEAR_ID", str(made.cases["near"].pk))
        kind = "application/json"
    return _told(client.generic(row.method, path, text, content_type=kind, headers=headers))


def _told(response: Any) -> str:
    for _piece in response.streaming_content if response.streaming else ():
        pass  # a file is closed at its end
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
