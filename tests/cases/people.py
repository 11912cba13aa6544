"""People with posts anywhere in Hangzhou, and cases that they bring through their lives."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from PIL import Image

from chengshu.cases import evidence
from chengshu.cases.advance import advance
from chengshu.cases.models import Case, Clock, Task
from chengshu.cases.records import MoveRequest, NewReport, Verdict
from chengshu.cases.report import report
from chengshu.parties.access import acting, root_of
from chengshu.parties.models import Account, Department, Post
from chengshu.parties.principal import Principal, system
from chengshu.parties.roles import Role
from chengshu.places.models import City, Division

WEST = "330106"  # 西湖区
STREET = "330106002"  # 北山街道
EAST = "330109"  # 萧山区
UNIT = "330106-CGJ"
HELPER = "330106-HW"
CENTRE = "330106-YX"
POINT = (120.13, 30.26)  # in 西湖区
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # a Monday, 09:00 in Hangzhou
PHOTO_TYPE = "env.exposed_rubbish"  # photo and place
APPEAL_TYPE = "appeal.noise_social"
INCIDENT_TYPE = "emerg.gas_leak"  # urgent
_ROAD: dict[str, tuple[str, dict[str, Any]]] = {
    "accept": ("operator", {}),
    "register": ("shift_leader", {}),
    "dispatch": ("dispatcher", {"unit": UNIT}),
    "receive": ("handler", {}),
    "handle": ("handler", {"note": "已清理"}),
    "verify": ("verifier", {"note": "现场已清"}),
    "close": ("shift_leader", {}),
}
STOPS = {
    "reported": 0,
    "accepted": 1,
    "registered": 2,
    "dispatched": 3,
    "handling": 4,
    "handled": 5,
    "verified": 6,
    "closed": 7,
}


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 30), format: str = "PNG", **save: Any) -> bytes:
    """The bytes of a small picture."""
    out = io.BytesIO()
    Image.new(mode, size).save(out, format, **save)
    return out.getvalue()


@dataclass
class Cast:
    """Makes principals as they are asked for; the same words give the same person."""

    city: City
    made: dict[tuple[str, str, str, str], Principal] = field(default_factory=dict)

    def __call__(self, role: str, *, division: str = "3301", unit: str = "", name: str = "") -> Principal:
        if role == Role.HANDLER and not unit:
            unit, division = UNIT, WEST
        key = (role, division, unit, name)
        if key not in self.made:
            account = Account.objects.create(username=f"t.{'.'.join(filter(None, key))}", name="".join(key))
            self.made[key] = self.post(account, role, division=division, unit=unit)
        return self.made[key]

    def post(self, account: Account, role: str, *, division: str = "3301", unit: str = "") -> Principal:
        """A further post of an account."""
        department = Department.objects.get(city=self.city, code=unit) if unit else None
        place = Division.objects.get(city=self.city, code=division, valid_to=None)
        return acting(account, Post.objects.create(account=account, role=role, department=department, division=place))

    def second(self, principal: Principal, role: str, **where: str) -> Principal:
        """The same person in another post."""
        return self.post(Account.objects.get(pk=principal.account), role, **where)

    @property
    def system(self) -> Principal:
        return system(self.city.pk, root_of(self.city).pk)

    def proof(self, who: Principal) -> UUID:
        """A picture that somebody has sent and not yet used."""
        return evidence.store(picture(), name="p.png", account=who.account).pk

    def report(self, who: Principal | None = None, *, at: datetime = START, **more: Any) -> Verdict:
        """One report; a citizen's by default."""
        actor = who or self("citizen")
        new = NewReport(
            origin="test",
            origin_key=uuid4().hex,
            title="文三路路面有暴露垃圾",
            occurred_at=at,
            division=STREET,
            type=PHOTO_TYPE,
            place_text="文三路100号",
        )
        [verdict] = report([replace(new, **more)], city=self.city.pk, actor=actor, at=at)
        return verdict

    def case(self, state: str = "reported", **more: Any) -> Story:
        """A case brought to a state of the main road by the usual people."""
        story = Story(cast=self, id=self.report(**more).case, now=more.get("at", START))
        for move, (role, fields) in list(_ROAD.items())[: STOPS[state]]:
            done = story.move(role, move, proof=move in {"register", "handle"}, **fields)
            assert done.verdict == "ok", (move, done)
        return story


@dataclass
class Story:
    """A case and the time in its world; every move happens a minute after the one before."""

    cast: Cast
    id: UUID
    now: datetime = START

    @property
    def row(self) -> Case:
        return Case.objects.select_related("state", "unit", "type", "kind", "division").get(pk=self.id)

    @property
    def state(self) -> str:
        return self.row.state.code

    def move(
        self, who: str | Principal, move: str, *, proof: bool = False, at: datetime | None = None, **fields: Any
    ) -> Verdict:
        actor = self.cast(who) if isinstance(who, str) else who
        self.now = at or self.now + timedelta(minutes=1)
        if proof:
            fields["evidence"] = (self.cast.proof(actor),)
        [verdict] = advance([MoveRequest(case=self.id, move=move, **fields)], actor=actor, at=self.now)
        return verdict

    def said(self, who: str | Principal, move: str, **fields: Any) -> str:
        """The verdict in one word, with what is lacking."""
        verdict = self.move(who, move, **fields)
        return f"{verdict.verdict}:{verdict.detail}" if verdict.detail else verdict.verdict

    def clock(self, stage: str) -> Clock:
        """The newest clock of a stage."""
        return Clock.objects.filter(case=self.id, stage=stage).latest("pk")

    def tasks(self) -> list[tuple[str, bool, str]]:
        rows = Task.objects.filter(case=self.id).select_related("unit").order_by("pk")
        return [(task.unit.code, task.lead, task.state) for task in rows]
