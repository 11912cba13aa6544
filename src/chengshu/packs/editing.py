"""Editing the living city from a page: one row or one part, checked, shown as a plan, applied and kept as a pack would be.

    proposal = propose_type(city, content, …)     what would change, or Mistakes
    save(principal, proposal, why=…)              the same apply as of a pack

An edit is a pack that says what the city says, but for one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from chengshu.cases import catalog, rules
from chengshu.cases.models import STAGES
from chengshu.core.errors import Conflict, Invalid, Mistakes, NotAllowed, NotFound
from chengshu.packs import contents, revisions, rule_files, schema, work_files
from chengshu.packs.apply import apply, check_obstacles
from chengshu.packs.current import current
from chengshu.packs.diff import FieldChange
from chengshu.packs.living import Living
from chengshu.packs.models import Alteration, Revision
from chengshu.packs.places_files import Divisions
from chengshu.packs.plan import Plan, make_plan
from chengshu.packs.records import DepartmentRow, Pack, PartRow, Row, TypeRow
from chengshu.packs.revisions import EDIT, Author
from chengshu.packs.source import Document, Mend, Record
from chengshu.packs.work_files import Codes
from chengshu.parties.models import Post
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.parties.staff import holding
from chengshu.places.models import City, Part

SHORTEST_WHY = 2  # characters
FORM = "form"
ROWS: dict[str, Callable[..., TypeRow | DepartmentRow]] = {"types": TypeRow, "departments": DepartmentRow}


class Retired(Invalid):
    """A new entry has the code (`where`) of one that is no longer used: that one can be put back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """An edit that has been checked: what it would change. `key` names the row or part, `seen` what it was when read."""

    pack: Pack
    plan: Plan
    table: str
    key: str
    seen: str

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        return tuple(field for change in self.plan.changes for field in change.fields)


def editor(principal: Principal) -> City:
    """The city that a principal may configure: an administrator's whose jurisdiction is all of it.

    Raises:
        NotAllowed: another role, or an administrator of a part of the city.
    """
    known = catalog.catalog(principal.city)
    if principal.role is not Role.ADMINISTRATOR or principal.division != known.root:
        raise NotAllowed(
            _("Only an administrator of the whole city changes its configuration."),
            where=known.city.name,
            remedy=_("Ask the administrator of the city."),
        )
    return known.city


def propose_department(city: City, content: Mapping[str, str], *, key: str = "") -> Proposal:
    """A new department, or the one called `key` as `content` (a row of departments.csv) has it.

    Raises:
        Mistakes: everything that is wrong; `where` is the form.
        Retired: it is new, and its code that of one that is no longer used.
    """
    pack, living = current(city.name)
    _check_code(living, "departments", content, key)
    known, mend = Divisions.of(pack.divisions), Mend()
    others = [contents.department(row, known) for row in pack.departments if row.key != key]
    records = _with("departments", others, content, key, mend)
    rows = work_files.read_departments(records, known, mend)
    return _row(replace(pack, departments=rows), living, pack, "departments", content.get("code", ""), mend)


def retire_department(city: City, key: str) -> Proposal:
    """A department that takes no cases any more; nothing of it is deleted."""
    pack, living = current(city.name)
    known, mend = Divisions.of(pack.divisions), Mend()
    rest = [contents.department(row, known) for row in pack.departments if row.key != key]
    rows = work_files.read_departments(_records(rest), known, mend)
    _check_posts(city, key, mend)
    return _row(replace(pack, departments=rows), living, pack, "departments", key, mend)


def _check_code(living: Living, table: str, content: Mapping[str, str], key: str) -> None:
    """Raise Retired for a new entry whose code an entry has that is no longer used."""
    code = content.get("code", "")
    old = living.rows.get(table, {}).get(code)
    if not key and old is not None and not getattr(old, "active", True):
        raise Retired(_("There was one of this code."), where=code, remedy=_("Open it, and put it back."))


def _check_posts(city: City, code: str, mend: Mend) -> None:
    held = holding(Post.objects.filter(department__city=city, department__code=code), city)
    names = ", ".join(sorted(set(held.values_list("account__name", flat=True))))
    if names:
        mend.wrong(
            code, _("People hold posts in it: {names}.").format(names=names), _("End these posts, or give others.")
        )


def propose_type(city: City, content: Mapping[str, str], *, key: str = "", since: datetime | None = None) -> Proposal:
    """A new case type, or the one called `key` as `content` (a row of case_types.csv) has it.

    Args:
        since: the moment from which changed limits count (now, when None); clocks that began before keep theirs.

    Raises:
        Mistakes: everything that is wrong; `where` is the form.
        Retired: it is new, and its code that of one that is no longer used.
    """
    pack, living = current(city.name)
    _check_code(living, "types", content, key)
    mend = Mend()
    others = [row for row in pack.types if row.key != key]
    records = _with("case_types", [contents.case_type(row) for row in others], content, key, mend)
    limits = [limit for row in others for limit in contents.limits(row)]
    old = living.rows.get("types", {}).get(key)
    limits += _dated(old, content, since, city) if isinstance(old, TypeRow) else []
    rows = work_files.read_types(records, _records(limits), frozenset(k.code for k in pack.kinds), mend)
    return _row(replace(pack, types=rows), living, pack, "types", content.get("code", ""), mend)


def retire_type(city: City, key: str) -> Proposal:
    """A case type of which no new case opens; its open cases go on."""
    pack, living = current(city.name)
    rows = tuple(row for row in pack.types if row.key != key)
    return _row(replace(pack, types=rows), living, pack, "types", key, Mend())


def _dated(old: TypeRow, content: Mapping[str, str], since: datetime | None, city: City) -> list[dict[str, Any]]:
    """The history of a type's limits, with what changes now: a limit counts for clocks that begin after it was set."""
    history = list(contents.limits(old))
    zone = catalog.catalog(city.pk).zone
    moment = f"{(since or datetime.now(zone)).astimezone(zone):%Y-%m-%dT%H:%M:%S}"
    for stage in STAGES:
        new, before = content.get(f"{stage}_limit", ""), old.limits.get(stage, "")
        if new == before:
            continue
        row = {"type": old.code, "stage": stage}
        if not any(known["stage"] == stage for known in history):
            history.append({**row, "valid_from": "", "limit": before, "source": old.source})
        history = [r for r in history if r["stage"] != stage or r["valid_from"] < moment]
        history.append({**row, "valid_from": moment, "limit": new, "source": content.get("source", "")})
    return history


def propose_part(city: City, name: str, value: Any) -> Proposal:
    """Another value of a part: escalation, calendar, parameters, notices or types of things.

    Raises:
        Mistakes: everything that is wrong by its schema and by what it names.
    """
    pack, living = current(city.name)
    mend = Mend()
    document = Document(name=f"{name}.yaml", where=name, content=value, marked=None)
    if schema.good_document(name, document, mend):
        _check_part(pack, name, document, mend)
    part = PartRow(name=name, value=value)
    parts = tuple(row for row in pack.parts if row.name != name)
    old = living.parts.get(name)
    return _checked(replace(pack, parts=(*parts, part)), living, "parts", name, str(old.version if old else 0), mend)


def _check_part(pack: Pack, name: str, document: Document, mend: Mend) -> None:
    zone = rule_files.zone_of(pack.city.timezone, name, mend)
    match name:
        case "escalation":
            rule_files.check_escalation(document, mend)
        case "calendar" if zone is not None:
            rule_files.check_calendar(document, zone, mend)
        case "parameters":
            rule_files.check_parameters(document, mend)
        case "notices":
            rule_files.check_notices(document, mend)
        case "thing_types":
            rule_files.check_thing_types(document, _codes(pack), pack.types, mend)


def save(principal: Principal, proposal: Proposal, *, why: str, seen: str, how: str = EDIT) -> Revision | None:
    """Apply an edit with its reason; None when it changes nothing.

    Args:
        seen: the fingerprint (of a part: the version) that the form started from.

    Raises:
        Invalid: the reason is missing.
        Conflict: somebody else changed the same thing meanwhile, or open cases forbid it.
    """
    city = editor(principal)
    check_why(why)
    if seen != proposal.seen:
        raise changed_meanwhile(city, proposal.table, proposal.key)
    check_obstacles(proposal.plan)
    if not proposal.plan.writes:
        return None
    author = Author.of(principal, why, how)
    revision = apply(proposal.pack, proposal.plan, overwrite_edited=True, author=author)
    catalog.forget()
    return revision


def save_rules(principal: Principal, table: Sequence[Mapping[str, Any]], *, why: str, seen: int) -> Part:
    """Put a new table of dispatch rules into force, kept as a revision like every other change."""
    with transaction.atomic():
        part = rules.save(principal, table, why=why, seen=seen)
        city = City.objects.get(pk=principal.city)
        revisions.note_part(city, Author.of(principal, why), part, seen)
    return part


def check_why(why: str) -> None:
    """Raise Invalid when a change has no reason."""
    if len(why.strip()) < SHORTEST_WHY:
        raise Invalid(_("A change needs a reason."), where="why", remedy=_("Say why in a few words."))


def changed_meanwhile(city: City, table: str, key: str) -> Conflict:
    """The second of two who edit the same thing is told of the first."""
    who = revisions.last_by(city.pk, table, key) or _("A pack that was loaded")
    what = _("{who} changed this while you were editing.").format(who=who)
    return Conflict(what, where=key, remedy=_("Look at what it is now, then save again: your input is kept here."))


def content_of(city: City, table: str, key: str) -> tuple[dict[str, str], str]:
    """The row called `key` as its file has it, and the fingerprint that a form carries; of what was retired as well.

    Raises:
        NotFound: there is no such row.
    """
    pack, living = current(city.name)
    row = living.rows.get(table, {}).get(key)
    if row is None:
        raise NotFound(_("There is no such entry."), where=key, remedy=_("Go back to the list."))
    return written(table, row, pack), revisions.fingerprint(row)


def written(table: str, row: Row, pack: Pack) -> dict[str, str]:
    """A department or a case type as a line of its file."""
    known = Divisions.of(pack.divisions)
    return contents.case_type(row) if isinstance(row, TypeRow) else contents.department(row, known)  # type: ignore[arg-type]


def _with(
    name: str, others: Iterable[Mapping[str, Any]], content: Mapping[str, str], key: str, mend: Mend
) -> list[Record]:
    """The records of a table with the one of the form, which must fit the schema."""
    own = Record(where=FORM, content={name: str(content.get(name, "")).strip() for name in schema.columns(name)})
    good = [own] if schema.good_form(name, own.content, mend) else []
    if key and content.get("code") != key:
        mend.wrong(FORM, _("The code of an entry cannot change."), _("Make a new entry, and retire this one."))
    return [*_records(others), *good]


def _records(rows: Iterable[Mapping[str, Any]]) -> list[Record]:
    return [Record(where=str(row.get("code", "")), content=dict(row)) for row in rows]


def _row(pack: Pack, living: Living, before: Pack, table: str, key: str, mend: Mend) -> Proposal:
    _check_rules(pack, before, mend)
    old = living.rows.get(table, {}).get(key)
    return _checked(pack, living, table, key, revisions.fingerprint(old), mend)


def _checked(pack: Pack, living: Living, table: str, key: str, seen: str, mend: Mend) -> Proposal:
    if mend.mistakes:
        raise Mistakes(mend.mistakes)
    return Proposal(pack=pack, plan=make_plan(pack, living, overwrite_edited=True), table=table, key=key, seen=seen)


def _check_rules(pack: Pack, before: Pack, mend: Mend) -> None:
    """The dispatch rules must still find what they name. What was wrong with them before is no fault of this edit."""
    wrong, known = _rules_wrong(pack), None
    for mistake in wrong:
        known = known or {(m.where, m.what) for m in _rules_wrong(before)}
        if (mistake.where, mistake.what) not in known:
            mend.mistakes.append(mistake)


def _rules_wrong(pack: Pack) -> list[Any]:
    part = next((part for part in pack.parts if part.name == "dispatch"), None)
    if part is None:
        return []
    mend = Mend()
    document = Document(name="dispatch.yaml", where="dispatch", content=part.value, marked=None)
    rule_files.check_dispatch(document, _codes(pack), pack.types, mend)
    return mend.mistakes


def _codes(pack: Pack) -> Codes:
    departments = {row.code: row for row in pack.departments}
    kinds = frozenset(kind.code for kind in pack.kinds)
    return Codes(divisions=Divisions.of(pack.divisions), departments=departments, kinds=kinds)


def earlier(city: City, table: str, number: int) -> tuple[str, dict[str, str]]:
    """The key and content of a row as it was before one of its changes.

    Raises:
        NotFound: there is no such change, or the row was new with it.
    """
    change = Alteration.objects.filter(city=city, table=table, pk=number).first()
    if change is None or change.before is None:
        raise NotFound(_("There is no earlier version."), where=str(number), remedy=_("Choose one of the history."))
    facts = {name: tuple(value) if isinstance(value, list) else value for name, value in change.before.items()}
    pack, _living = current(city.name)
    return change.key, written(table, ROWS[table](**facts), pack)
