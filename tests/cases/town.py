"""A small city for tests of cases: two districts with streets and grids, three units, and the moves of the shipped
packs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from chengshu.cases.catalog import forget
from chengshu.cases.models import CaseType, Kind, Move, State
from chengshu.packs.life_files import read_life
from chengshu.packs.source import Mend, read_yaml
from chengshu.parties.models import Account, Department, Post
from chengshu.parties.principal import Principal, system
from chengshu.parties.roles import Role
from chengshu.places.models import City, Division, Level, Part

CITIES = Path(__file__).parents[2] / "cities"
CALENDAR: dict[str, Any] = {
    "hours": [["08:30", "12:00"], ["13:30", "17:30"]],
    "weekend": ["sat", "sun"],
    "years": [2023, 2024, 2025, 2026],
    "holidays": [],
    "makeup_days": [],
    "closures": [],
    "day_rule": {"start_counted": False, "ends": "close_of_business", "outside_hours": "as_reported"},
    "calendar_day_rule": {
        "start_counted": False,
        "ends": "end_of_day",
        "outside_hours": "as_reported",
        "off_day": "keep",
    },
}
LIMITS = {
    "accept": "1wh",
    "register": "1wh",
    "dispatch": "2wh",
    "handle": "1wd",
    "verify": "4wh",
    "close": "2wh",
    "total": "3wd",
}
KIND_LIMITS = {"accept": "2wh", "register": "4wh", "handle": "2wd"}
PARTS: dict[str, Any] = {
    "calendar": CALENDAR,
    "parameters": {
        "reopen_window_days": {"unit": "d", "source": "test", "values": {"2020-01-01": 30}},
        "returns_before_last_resort": {"unit": "1", "source": "test", "values": {"2020-01-01": 2}},
    },
    "dispatch": {"rules": [{"id": "all", "when": {}, "unit": "U1", "because": "test"}]},
    "escalation": {"levels": [], "warn_share": 0.8},
    "sources": {"sources": []},
}


@dataclass(frozen=True, kw_only=True)
class Town:
    """The city, its divisions and units by code, and accounts by name."""

    city: City
    divisions: dict[str, Division]
    units: dict[str, Department]
    people: dict[str, Principal]

    @property
    def system(self) -> Principal:
        return system(self.city.pk, self.divisions["T"].pk)


def build(name: str = "town", kinds: tuple[str, ...] = ("urban",)) -> Town:
    """Write the town into the test database."""
    forget()
    city = City.objects.create(
        name=name,
        label=name,
        label_en=name,
        timezone="Asia/Shanghai",
        language="en",
        number_prefix=name.upper(),
        version=1,
    )
    divisions = _divisions(city)
    units = _units(city, divisions)
    _kinds(city, kinds)
    for part, value in PARTS.items():
        Part.objects.create(
            city=city,
            name=part,
            version=1,
            value=value,
            at=datetime.fromisoformat("2023-01-01T00:00Z"),
            by="test",
            why="test",
        )
    return Town(city=city, divisions=divisions, units=units, people=_people(city, divisions, units))


def _divisions(city: City) -> dict[str, Division]:
    found: dict[str, Division] = {}
    tree = [("T", 1, "")]
    for d in "AB":
        tree += [(d, 2, "T")]
        for s in "12":
            tree += [(f"{d}{s}", 3, d), (f"{d}{s}c", 4, f"{d}{s}"), (f"{d}{s}g", 5, f"{d}{s}c")]
    for code, level, parent in tree:
        above = found.get(parent)
        made = Division.objects.create(
            city=city, code=code, name=code, level=level, parent=above, valid_from=date(2020, 1, 1), source="test"
        )
        made.path = [*(above.path if above else []), made.pk]
        made.save()
        found[code] = made
    return found


def _units(city: City, divisions: dict[str, Division]) -> dict[str, Department]:
    def unit(code: str, division: str, **more: Any) -> Department:
        return Department.objects.create(
            city=city,
            code=code,
            name=code,
            level=Level.CITY,
            function="works",
            division=divisions[division],
            kind="unit",
            **more,
        )

    top = unit("U0", "T")
    rest = [unit("U1", "A", parent=top), unit("U2", "B", parent=top), unit("C", "T", last_resort=True)]
    return {made.code: made for made in [top, *rest]}


def _kinds(city: City, codes: tuple[str, ...]) -> None:
    for pack in ("hangzhou", "boston"):
        document = read_yaml(CITIES / pack / "moves.yaml", "moves.yaml", Mend())
        assert document is not None
        life = read_life(document, Mend())
        for row in life.kinds:
            if row.code in codes:
                _kind(city, row.code, row.opening_clocks, life)


def _kind(city: City, code: str, stages: tuple[str, ...], life: Any) -> None:
    kind = Kind.objects.create(
        city=city, code=code, label=code, label_en=code, opening_clocks=list(stages), limits=KIND_LIMITS
    )
    states = {
        row.code: State.objects.create(
            kind=kind, code=row.code, label=row.label, label_en=row.label_en, phase=row.phase, rank=row.rank
        )
        for row in life.states
        if row.kind == code
    }
    for row in life.moves:
        if row.kind == code:
            given = {
                f: getattr(row, f)
                for f in ("label", "label_en", "clocks_pause", "clocks_resume", "why", "why_en", "rank")
            }
            lists = {
                f: list(getattr(row, f)) for f in ("roles", "needs", "not_who", "does", "clocks_stop", "clocks_start")
            }
            Move.objects.create(
                kind=kind,
                code=row.code,
                from_state=states[row.from_state],
                to_state=states[row.to_state],
                **given,
                **lists,
            )
    for suffix, limits in (("", LIMITS), ("-free", {}), ("-plain", {**LIMITS, "handle": "4h", "total": "2d"})):
        CaseType.objects.create(
            city=city, kind=kind, code=f"{code}{suffix}", major="m", minor="n", name=f"{code}{suffix}", limits=limits
        )


def _people(city: City, divisions: dict[str, Division], units: dict[str, Department]) -> dict[str, Principal]:
    posts = [(role, None, "T") for role in Role if role not in (Role.SYSTEM, Role.HANDLER, Role.GATEWAY)]
    every = [
        *posts,
        (Role.HANDLER, "U1", "A"),
        (Role.HANDLER, "U2", "B"),
        (Role.HANDLER, "C", "T"),
        (Role.LEADER, None, "A"),
    ]
    found: dict[str, Principal] = {}
    for role, unit, division in every:
        name = role.value + (f"-{unit}" if unit else "") + (f"-{division}" if division != "T" and not unit else "")
        account = Account.objects.create(username=f"{city.name}.{name}", name=name)
        department = units[unit] if unit else None
        post = Post.objects.create(account=account, role=role, department=department, division=divisions[division])
        found[name] = Principal(
            account=account.pk, username=account.username, name=name, post=post.pk, role=role, city=city.pk,
            division=divisions[division].pk, department=department.pk if department else None,
        )  # fmt: skip
    return found


def yaml_of(pack: str, name: str) -> Any:
    """A file of a shipped pack."""
    return YAML(typ="safe").load(CITIES / pack / name)
