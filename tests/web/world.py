"""The world in which permissions are tried: two cities, three cases, and one of everything that has an owner, with its twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession

from chengshu.cases import evidence
from chengshu.cases.advance import advance
from chengshu.cases.models import Case, CaseType, Outbox
from chengshu.cases.outbox import FAILED
from chengshu.cases.records import MoveRequest, NewReport
from chengshu.cases.report import report
from chengshu.core.ids import new_id
from chengshu.evaluation.models import Handover
from chengshu.packs import editing, export, lives
from chengshu.packs.apply import load_city
from chengshu.packs.models import Proposal, Revision, Upload
from chengshu.parties.access import principal_of, root_of
from chengshu.parties.models import Account, Channel, Delivery, Department, Notice, Post
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.parties.tokens import issue
from chengshu.places.models import City
from chengshu.sensing import models as sensing
from chengshu.web.models import SavedView
from tests.packs.small import write_pack
from tests.web.conftest import photo

# Who tries: a role by a demo account of Hangzhou, and those that `world` makes: of a part of the city, and of another city.
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
    "gateway": "gateway",
    "analyst": "analyst",
    "administrator": "admin",
    "citizen": "citizen",
    "district_administrator": "district-admin",
    "foreign_shift_leader": "toy-leader",
    "foreign_administrator": "toy-admin",
}
FOREIGN = {"foreign_shift_leader", "foreign_administrator"}
UNIT, TYPE = {"hangzhou": "330106-CGJ", "toytown": "ROADS"}, {"hangzhou": "env.exposed_rubbish", "toytown": "lamp"}
MORNING = datetime(2026, 1, 5, 8, tzinfo=UTC)
# A passkey as its browser told it once: a key of nobody, for localhost.
PASSKEY: dict[str, Any] = {
    "name": "matrix",
    "credential": {
        "id": "bWF0cml4",
        "rawId": "bWF0cml4",
        "type": "public-key",
        "response": {
            "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiIiwib3JpZ2luIjoiaHR0cDovL2xvY2FsaG9zdCJ9",
            "attestationObject": "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YViKSZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2NAAAAAAAAA"
            "AAAAAAAAAAAAAAAAAAAABm1hdHJpeKUBAgMmIAEhWCAcXqvVyjqzX2vXK5Ag59IbHPekKiEYXr3cTxhvGYyeeyJYIIH7wXgXZjy65u9wtQxtiQvhhNsVD"
            "xqXPwLS9hhIgKoO",
        },
    },
}
Things = Mapping[str, str]  # what a form or an address says of each thing: a number, a name, a code


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """`cases`: near, in the handler's unit, grid and area, reported by the citizen; far, in another district; abroad, in
    another city. `own` holds for each role the things of its account and of its city, `other` the same things of a
    colleague and of the other city."""

    cases: Mapping[str, Case]
    files: Mapping[str, str]
    tokens: Mapping[str, str]
    own: Mapping[str, Things]
    other: Mapping[str, Things]


def world(city: City, folder: Path) -> World:
    """Make it. The cases are dispatched: whoever sees them may write a note."""
    load_city(str(write_pack(folder)), echo=lambda _line: None)
    toytown = City.objects.get(name="toytown")
    _hold("district-admin", Role.ADMINISTRATOR, city, "330106")
    _hold("toy-admin", Role.ADMINISTRATOR, toytown)
    cases = {
        "near": _dispatched("citizen", "near", Post.objects.get(account__username="grid").division.code, "330106-CGJ"),
        "far": _dispatched("operator", "far", "330109", "330109-CGJ"),
        "abroad": _abroad(),
    }
    posts = {role: Post.objects.filter(account__username=name).order_by("pk")[0] for role, name in ACCOUNTS.items()}
    here, there = _civic(city, cases["near"]), _civic(toytown, cases["abroad"])
    colleague = _personal(_hold("colleague", Role.OPERATOR, city))
    return World(
        cases=cases,
        files={name: str(case.evidence.values_list("pk", flat=True)[0]) for name, case in cases.items()},
        tokens={role: issue(post, "matrix") for role, post in posts.items()},
        own={role: _personal(post) | (there if role in FOREIGN else here) for role, post in posts.items()},
        other=dict.fromkeys(FOREIGN, colleague | here)
        | {role: colleague | there for role in posts if role not in FOREIGN},
    )


def _hold(username: str, role: Role, city: City, division: str = "") -> Post:
    account, _made = Account.objects.get_or_create(username=username, name=username, password="!")
    place = city.divisions.get(code=division) if division else root_of(city)
    return Post.objects.create(account=account, role=role, division=place)


def _who(username: str) -> Principal:
    return principal_of(Account.objects.get(username=username))


def _dispatched(by: str, key: str, division: str, unit: str) -> Case:
    case = _reported(_who(by), key, division, "hangzhou")
    for name, move, more in (
        ("operator", "accept", {}),
        ("shift", "register", {"evidence": _proof(name="shift")}),
        ("dispatcher", "dispatch", {"unit": unit}),
    ):
        _move(name, MoveRequest(case=case, move=move, **more))
    return Case.objects.get(pk=case)


def _abroad() -> Case:
    """A case of the other city, with a file."""
    case = _reported(_who("toy-leader"), "abroad", "T1", "toytown")
    _move("toy-leader", MoveRequest(case=case, move="note", note="seen", evidence=_proof(name="toy-leader")))
    return Case.objects.get(pk=case)


def _reported(by: Principal, key: str, division: str, city: str) -> Any:
    new = NewReport(
        origin="matrix", origin_key=key, title="暴露垃圾", type=TYPE[city], occurred_at=datetime.now(UTC),
        division=division, place_text="路口", contact={"name": "张三", "phone": "13800000000"},
    )  # fmt: skip
    [verdict] = report([new], city=by.city, actor=by)
    return verdict.case


def _move(by: str, request: MoveRequest) -> None:
    [done] = advance([request], actor=_who(by))
    assert done.ok, (by, done)


def _proof(name: str) -> tuple[Any, ...]:
    """A photo, as the case type demands."""
    return (evidence.store(photo(), account=_who(name).account).pk,)


def _personal(post: Post) -> dict[str, str]:
    """One of everything that belongs to an account."""
    me, now = post.account, datetime.now(UTC)
    notice = Notice.objects.create(account=me, key="matrix", kind="security", at=now)
    channel = Channel.objects.create(account=me, kind="email", address=f"{me.username}@example.org", kinds=["security"])
    session = UserSession.objects.create(user=me, ip="192.0.2.1", user_agent="matrix", session_key=f"s-{me.username}")
    passkey = Authenticator.objects.create(user=me, type=Authenticator.Type.WEBAUTHN, data=PASSKEY)
    return {
        "post": str(post.pk),
        "notice": str(notice.pk),
        "channel": str(channel.pk),
        "delivery": _dead(channel, notice, post.division.city),
        "session": str(session.pk),
        "passkey": str(passkey.pk),
        "view": str(SavedView.objects.create(account=me, name="matrix").pk),
    }


def _dead(channel: Channel, notice: Notice, city: City) -> str:
    """A delivery that failed for good."""
    row = {"id": new_id(), "state": "dead", "made_at": notice.at}
    return str(Delivery.objects.create(channel=channel, notice=notice, city=city, **row).pk)


def _civic(city: City, case: Case) -> dict[str, str]:
    """One of everything that belongs to a city, in the hands of its administrators or of those who watch it."""
    clerk = _hold(f"clerk-{city.name}", Role.OPERATOR, city)
    own: dict[str, Any] = {"account": clerk.account}
    asked = Proposal.objects.create(city=city, role=Role.ANALYST, division=clerk.division, why="x", **own)
    sent = Upload.objects.create(city=city, name="x", content=export.pack_zip(city.name), **own)
    failed = Outbox.objects.create(topic=FAILED, case=case.pk, facts={"topic": "step", "error": "x"}, at=MORNING)
    handover = Handover.objects.create(
        division=clerk.division, start=MORNING, end=MORNING + timedelta(hours=12), post=clerk, at=MORNING,
        facts={"made": [], "hot": []}, **own,
    )  # fmt: skip
    return _editable(city) | {
        "account": clerk.account.username,
        "proposal": str(asked.pk),
        "upload": str(sent.pk),
        "change": str(Revision.objects.filter(city=city)[0].pk),
        "outbox": str(failed.pk),
        "handover": str(handover.pk),
        "city_delivery": _personal(clerk)["delivery"],
        "feed": _feed(city),
        "quarantined": _refused_row(city),
        "thing": _thing(city, case),
    }


def _thing(city: City, case: Case) -> str:
    """A thing that senses, where the case is, of the unit that has it."""
    made = sensing.Thing.objects.create(
        city=city, name="水位计", description="", key="W-1", places=case.places, owner=case.unit, type=""
    )
    return str(made.pk)


def _refused_row(city: City) -> str:
    """A row that nobody could read, of a delivery to the city."""
    sent = sensing.Delivery.objects.create(city=city, door="bulk", media_type="application/x-ndjson", received=MORNING)
    row = {"line": 1, "reason": "form", "detail": "x", "content": {"line": "x"}, "at": MORNING}
    return str(sensing.Quarantined.objects.create(city=city, delivery=sent, **row).pk)


def _feed(city: City) -> str:
    """A source that is looked at by schedule."""
    told = {"format": "csv", "time": {"received": True}, "results": [{"key": "{id}", "value": "v"}]}
    row = {"name": f"matrix-{city.name}", "label": "x", "kind": "file", "mapping": told, "schedule": "300"}
    return str(sensing.Feed.objects.create(city=city, made_at=MORNING, **row).name)


def _editable(city: City) -> dict[str, str]:
    """A case type and a department as their forms have them when they are opened."""
    unit, type = (
        Department.objects.get(city=city, code=UNIT[city.name]),
        CaseType.objects.get(city=city, code=TYPE[city.name]),
    )
    return {
        "city": city.name,
        "version": str(City.objects.get(pk=city.pk).version),
        "department": unit.code,
        "department_seen": editing.content_of(city, "departments", unit.code)[1],
        "function": unit.function,
        "division": unit.division.code,
        "type": type.code,
        "type_seen": editing.content_of(city, "types", type.code)[1],
        "kind": type.kind.code,
        "life_seen": lives.opened(city, type.kind.code)[1],
        "major": type.major,
        "minor": type.minor,
    }
