"""Departments, case types with their limits, accounts and posts: read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from chengshu.cases.models import STAGES
from chengshu.packs.places_files import DIVISIONS, LEVELS, Divisions
from chengshu.packs.records import AccountRow, DepartmentRow, PostRow, TypeRow
from chengshu.packs.source import Document, Mend, Record
from chengshu.parties.roles import Role

DEPARTMENTS, TYPES, LIMITS, POSTS = "departments.csv", "case_types.csv", "limits.csv", "posts.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Codes:
    """The codes that other files may name."""

    divisions: Divisions
    departments: Mapping[str, DepartmentRow]
    kinds: frozenset[str]

    def division(self, reference: str, who: str, where: str, mend: Mend) -> str:
        """The key of the division that is meant today; empty, and a mistake, when there is none."""
        found = self.divisions.latest(reference)
        if found is None and mend.judges(DIVISIONS):
            what = _("{who} names an unknown division {code}.").format(who=who, code=reference)
            mend.wrong(where, what, _("Use a code of divisions.csv."))
        return found.key if found else ""


def unique(rows: Iterable[Any], mend: Mend) -> list[Any]:
    """The rows, but those whose key stood before; each repetition is a mistake."""
    seen: dict[str, Any] = {}
    for row in rows:
        if row.key in seen:
            what = _("{key} stands twice, also in {other}.").format(key=row.key, other=seen[row.key].where)
            mend.wrong(row.where, what, _("Keep one row, or give the other its own code."))
        seen.setdefault(row.key, row)
    return list(seen.values())


def read_departments(records: Iterable[Record], divisions: Divisions, mend: Mend) -> tuple[DepartmentRow, ...]:
    """Departments with their jurisdictions; checks parents, and that no department stands above itself."""
    codes = Codes(divisions=divisions, departments={}, kinds=frozenset())
    rows: list[DepartmentRow] = unique((_department(record, codes, mend) for record in records), mend)
    known = {row.code: row for row in rows}
    for row in rows:
        if row.parent and row.parent not in known and mend.judges(DEPARTMENTS):
            what = _("the parent {parent} of {code} is not in the file.").format(parent=row.parent, code=row.code)
            mend.wrong(row.where, what, _("Add the parent or mend the code."))
        elif _circles(row, known):
            mend.wrong(row.where, _("{code} stands above itself.").format(code=row.code), _("Mend its parent."))
    return tuple(rows)


def _circles(row: DepartmentRow, known: Mapping[str, DepartmentRow]) -> bool:
    above, steps = known.get(row.parent), 0
    while above is not None and above.code != row.code and steps <= len(known):
        above, steps = known.get(above.parent), steps + 1
    return above is not None


def _department(record: Record, codes: Codes, mend: Mend) -> DepartmentRow:
    content = record.content
    named = {name: content[name] for name in ("code", "name", "name_en", "parent", "function", "kind")}
    return DepartmentRow(
        where=record.where,
        level=LEVELS[content["level"]],
        division=codes.division(content["division"], content["code"], record.where, mend),
        last_resort=content.get("last_resort") == "yes",
        **named,
    )


def read_types(
    records: Iterable[Record], limits: Iterable[Record], kinds: frozenset[str], mend: Mend
) -> tuple[TypeRow, ...]:
    """Case types with their limits by stage, and where limits.csv has any, by date."""
    dated = _dated(limits, mend)
    rows: list[TypeRow] = unique((_type(record, dated) for record in records), mend)
    for row in rows:
        if row.kind not in kinds and mend.judges("moves.yaml"):
            what = _("{code} is of an unknown kind {kind}.").format(code=row.code, kind=row.kind)
            mend.wrong(
                row.where, what, _("The kinds of moves.yaml are {kinds}.").format(kinds=", ".join(sorted(kinds)))
            )
    _check_dated(dated, {row.code for row in rows}, mend)
    return tuple(rows)


def _type(record: Record, dated: Mapping[str, list[Record]]) -> TypeRow:
    content = record.content
    names = ("code", "kind", "major", "major_en", "minor", "minor_en", "name", "name_en")
    named = {name: content[name] for name in (*names, "register_standard", "close_standard", "source")}
    return TypeRow(
        where=record.where,
        limits={stage: limit for stage in STAGES if (limit := content[f"{stage}_limit"])},
        dated_limits=tuple(_by_date(dated.get(content["code"], ()))),
        severity=int(content["severity"]),
        urgent=content["urgent"] == "yes",
        evidence=tuple(content["evidence"].split("+")) if content["evidence"] else (),
        **named,
    )


def _by_date(rows: Sequence[Record]) -> list[dict[str, Any]]:
    """`[{valid_from, limits, sources}]`: an empty limit is none from then on; `sources` where any is named."""
    dates: dict[str, dict[str, Any]] = {}
    for row in rows:
        stage, day = row.content["stage"], row.content["valid_from"]
        dated = dates.setdefault(day, {"valid_from": day, "limits": {}})
        dated["limits"][stage] = row.content["limit"]
        if source := row.content.get("source"):
            dated.setdefault("sources", {})[stage] = source
    return [dated for _day, dated in sorted(dates.items())]


def _dated(limits: Iterable[Record], mend: Mend) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in limits:
        text = record.content["valid_from"]
        try:
            datetime.fromisoformat(text or "1970-01-01")
        except ValueError:
            mend.wrong(record.where, _("{text} is no time of the calendar.").format(text=text), _("Mend the date."))
        found.setdefault(record.content["type"], []).append(record)
    return found


def _check_dated(dated: Mapping[str, Sequence[Record]], types: set[str], mend: Mend) -> None:
    for code, records in dated.items():
        if code not in types and mend.judges(TYPES):
            what = _("there is no case type {code}.").format(code=code)
            mend.wrong(records[0].where, what, _("Use a code of case_types.csv."))
        seen: dict[tuple[str, str], str] = {}
        for record in records:
            key = (record.content["stage"], record.content["valid_from"])
            if key in seen:
                what = _("this limit stands twice, also in {other}.").format(other=seen[key])
                mend.wrong(record.where, what, _("Keep one of the rows."))
            seen.setdefault(key, record.where)


def read_accounts(document: Document, mend: Mend) -> tuple[AccountRow, ...]:
    """The demo accounts."""
    rows = (
        AccountRow(where=document.at("accounts", i), **content)
        for i, content in enumerate(document.content["accounts"])
    )
    return tuple(unique(rows, mend))


def read_posts(document: Document, accounts: Iterable[AccountRow], codes: Codes, mend: Mend) -> tuple[PostRow, ...]:
    """The posts of the demo accounts."""
    known = {account.username for account in accounts}
    rows = []
    for i, content in enumerate(document.content["posts"]):
        where = document.at("posts", i)
        _check_post(content, known, codes, where, mend)
        division = codes.division(str(content["division"]), content["account"], where, mend)
        post = {"account": content["account"], "role": content["role"], "department": content.get("department") or ""}
        rows.append(PostRow(where=where, division=division, **post))
    return tuple(unique(rows, mend))


def _check_post(content: Mapping[str, Any], accounts: set[str], codes: Codes, where: str, mend: Mend) -> None:
    if content["account"] not in accounts:
        what = _("a post is held by an unknown account {account}.").format(account=content["account"])
        mend.wrong(where, what, _("Add it under `accounts`, or mend the name."))
    department = content.get("department") or ""
    if department and department not in codes.departments and mend.judges(DEPARTMENTS):
        what = _("a post is in an unknown department {code}.").format(code=department)
        mend.wrong(where, what, _("Use a code of departments.csv."))
    if not department and content["role"] == Role.HANDLER:
        mend.wrong(where, _("a handler's post has no department."), _("Name the department that handles."))
