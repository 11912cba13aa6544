"""Editing the dispatch rules of a living city: check, try on last month's cases, save with a reason, go back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from chengshu.cases import dispatch
from chengshu.cases.catalog import Catalog, catalog, forget
from chengshu.cases.models import Case
from chengshu.cases.writing import SHORTEST, check_text
from chengshu.core.errors import Conflict, Invalid, Mistake, Mistakes, NotAllowed
from chengshu.parties.models import Audit
from chengshu.parties.principal import Principal
from chengshu.parties.roles import EDITS_RULES
from chengshu.places.models import City, Level, Part

_LISTS = frozenset({"kind", "type", "major", "minor", "division", "source"})
CONDITIONS = _LISTS | {"severity_max", "hours"}
FIELDS = ("id", "when", "unit", "because", "because_en")
LEVELS = tuple(name for name, level in dispatch.LEVELS.items() if level < Level.GRID)  # on which units stand
MOST_SIMULATED = 20_000
MOST_VERSIONS = 50  # that are listed


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulation:
    """What a table would have done with past cases: how many it would send elsewhere, from which unit to which.

    `moved` pairs (number, unit by today's table, unit by the new one, new rule); the first hundred.
    """

    cases: int
    same: int
    changed: int
    undecided: int
    by_rule: Mapping[str, int]
    flows: Sequence[tuple[str, str, int]]
    moved: Sequence[tuple[str, str, str, str]]


def check(known: Catalog, rules: Sequence[Mapping[str, Any]]) -> None:
    """Raise Mistakes with everything that is wrong in a table, or Invalid when it cannot even be kept.

    What is asked is what a city pack asks (packs/rule_files.py and its schema), so that every table can be exported and loaded.
    """
    _check_kept(rules)
    found: list[Mistake] = []
    seen: Counter[str] = Counter(str(rule.get("id")) for rule in rules)
    for place, rule in enumerate(rules, start=1):
        where = _("rule %(id)s") % {"id": rule.get("id", place)}
        found += [Mistake(where=where, what=what, remedy=remedy) for what, remedy in _wrong(known, rule)]
        if seen[str(rule.get("id"))] > 1:
            found.append(Mistake(where=where, what=_("The id is used twice."), remedy=_("Give each rule its own.")))
        if not rule.get("when") and place < len(rules):
            what = _("It always matches: no rule after it is ever asked.")
            found.append(Mistake(where=where, what=what, remedy=_("Move it to the end.")))
    if not rules or rules[-1].get("when"):
        remedy = _("End with a rule whose `when` is empty.")
        found.append(Mistake(where=_("last rule"), what=_("No fallback."), remedy=remedy))
    if found:
        raise Mistakes(found)


def _check_kept(rules: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what PostgreSQL cannot keep as JSON: NUL characters, numbers that are none, values of other types."""
    try:
        kept = json.loads(json.dumps(list(rules), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(
            "The table holds what JSON cannot hold.", where="rules", remedy="Use texts, numbers, lists and mappings."
        ) from error
    check_text("The table", kept, "rules")


def _wrong(known: Catalog, rule: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not rule.get("id") or not rule.get("unit"):
        return [(_("A rule needs `id` and `unit`."), _("Add them."))]
    found = [(_("Unknown field %(name)s.") % {"name": repr(name)}, _use(FIELDS)) for name in set(rule) - set(FIELDS)]
    found += [
        (_("`%(name)s` is no text.") % {"name": name}, _("Write it as text."))
        for name, types in (("id", str | int), ("because", str), ("because_en", str))
        if not isinstance(rule.get(name, ""), types) or rule.get(name) is True
    ]
    if not rule.get("because"):
        found.append((_("It gives no reason (`because`)."), _("Say in a sentence why the case goes there.")))
    when = rule.get("when") or {}
    if not isinstance(when, Mapping):
        return [*found, (_("`when` is no mapping."), _("Write conditions as name: values."))]
    found += [
        (_("Unknown condition %(name)s.") % {"name": repr(name)}, _use(sorted(CONDITIONS)))
        for name in set(when) - CONDITIONS
    ]
    for name in _LISTS & set(when):
        found += _wrong_values(known, name, when[name])
    if when.get("severity_max", 1) not in (1, 2, 3, 4) or when.get("severity_max") is True:
        found.append((_is("severity_max", when["severity_max"]), _("Use 1 (urgent) to 4 (minor).")))
    if when.get("hours", "off") not in ("working", "off"):
        found.append((_is("hours", when["hours"]), _use(["working", "off"])))
    return found + _wrong_unit(known, rule["unit"])


def _is(name: str, value: Any) -> str:
    return _("%(name)s is %(value)s.") % {"name": name, "value": repr(value)}


def _use(words: Iterable[str]) -> str:
    return _("Use one of %(words)s.") % {"words": ", ".join(words)}


def _wrong_values(known: Catalog, name: str, values: Any) -> list[tuple[str, str]]:
    """Mistakes in a condition that lists what it accepts."""
    if not isinstance(values, list) or not values:
        return [(_("%(name)s is no list.") % {"name": name}, _("Write %(name)s: [one, another].") % {"name": name})]
    codes = _codes(known, name)
    lacking = _("There is no %(name)s %(value)s.")
    return [
        (lacking % {"name": name, "value": repr(value)}, _("Use one of the pack."))
        for value in values
        if (str(value) not in codes if codes is not None else not (value and isinstance(value, str)))
    ]


def _codes(known: Catalog, name: str) -> Collection[str] | None:
    """What a condition may name: nothing retired; None where anything goes, for sources come from outside."""
    match name:
        case "kind":
            return known.kind_codes
        case "division":
            return {place.code for place in known.divisions.values()}
        case "source":
            return None
        case _:
            return {getattr(type, "code" if name == "type" else name) for type in known.types.values() if type.active}


def _wrong_unit(known: Catalog, unit: Any) -> list[tuple[str, str]]:
    if isinstance(unit, str):
        what = _("No department %(code)s.") % {"code": repr(unit)}
        found = known.department_codes.get(unit)
        return [] if found and found.active else [(what, _("Use the code of a department that is not retired."))]
    if not isinstance(unit, Mapping) or "function" not in unit or set(unit) - {"function", "level"}:
        return [(_("The unit is neither a code nor a function with a level."), _("Write one of the two."))]
    function, level = str(unit["function"]), str(unit.get("level", ""))
    if function not in known.functions:
        what = _("No department has the function %(function)s.") % {"function": repr(unit["function"])}
        return [(what, _("Use a function of departments.csv."))]
    if level and level not in LEVELS:
        return [(_("No level %(level)s.") % {"level": repr(unit["level"])}, _use(LEVELS))]
    if level and not any(department.level == dispatch.LEVELS[level] for department in known.functions[function]):
        what = _("No department of the level %(level)s has the function %(function)s.")
        return [(what % {"level": level, "function": function}, _("Use a function and level of departments.csv."))]
    return []


def simulate(
    principal: Principal, rules: Sequence[Mapping[str, Any]], *, days: int = 30, now: datetime | None = None
) -> Simulation:
    """Send the cases of the last days (the newest 20 000 at most) through both tables, writing nothing."""
    known = _editing(principal)
    check(known, rules)
    since = (now or datetime.now(UTC)) - timedelta(days=days)
    cases = Case.objects.filter(kind__city=principal.city, places__contains=[principal.division], opened_at__gte=since)
    rows = cases.order_by("-pk").values_list("number", *dispatch.COLUMNS)[:MOST_SIMULATED]
    results = [(row[0], *_both(known, rules, dispatch.Facts.of_row(*row[1:]))) for row in rows]
    return _summary(results)


def _both(
    known: Catalog, rules: Sequence[Mapping[str, Any]], facts: dispatch.Facts
) -> tuple[dispatch.Decision | None, dispatch.Decision | None]:
    return dispatch.decide(known, facts), dispatch.decide(known, facts, rules)


def _summary(results: Sequence[tuple[str, dispatch.Decision | None, dispatch.Decision | None]]) -> Simulation:
    def unit(decision: dispatch.Decision | None) -> str:
        return decision.unit.name if decision else "—"

    changed = [(n, unit(a), unit(b), b.rule if b else "—") for n, a, b in results if unit(a) != unit(b)]
    flows = Counter((a, b) for _, a, b, _ in changed)
    return Simulation(
        cases=len(results),
        same=len(results) - len(changed),
        changed=len(changed),
        undecided=sum(new is None for _, _, new in results),
        by_rule=dict(Counter(new.rule for _, _, new in results if new)),
        flows=[(a, b, n) for (a, b), n in flows.most_common(50)],
        moved=changed[:100],
    )


def history(city: int) -> list[Part]:
    """The newest versions of a city's table, newest first; the table of one is read when it is asked for."""
    return list(Part.objects.filter(city=city, name="dispatch").defer("value").order_by("-version")[:MOST_VERSIONS])


def save(principal: Principal, rules: Sequence[Mapping[str, Any]], *, why: str, seen: int) -> Part:
    """Put a new table into force.

    Args:
        seen: the version the editor started from; Conflict when another has been saved since.
    """
    known = _editing(principal)
    if len(why.strip()) < SHORTEST:
        what = _("A change of rules needs a reason of at least %(least)d characters.") % {"least": SHORTEST}
        raise Invalid(what, where="why", remedy="Say why in a few words.")
    check_text("why", why, "why")
    check(known, rules)
    table = [{**rule, "when": rule.get("when") or {}} for rule in rules]
    with transaction.atomic():
        City.objects.select_for_update().get(pk=principal.city)
        part = _replace(principal, {"rules": table}, why.strip(), seen)
        City.objects.filter(pk=principal.city).update(version=F("version") + 1)
        facts = {"part": "dispatch", "version": part.version, "why": part.why}
        Audit.objects.create(account_id=principal.account, post_id=principal.post, action="rules.save", facts=facts)
    forget()
    return part


def _editing(principal: Principal) -> Catalog:
    """The city's catalog, for a post that edits its rules: the whole city must be its jurisdiction."""
    known = catalog(principal.city)
    if principal.role not in EDITS_RULES or principal.division != known.root:
        raise NotAllowed("This post does not edit the city's rules.", where="dispatch", remedy="Ask an administrator.")
    return known


def _replace(principal: Principal, value: dict[str, Any], why: str, seen: int) -> Part:
    newest = Part.objects.filter(city=principal.city, name="dispatch").order_by("-version").first()
    last = newest.version if newest else 0
    if last != seen:
        by = newest.by if newest else "?"
        what = _("%(who)s saved version %(version)d meanwhile.") % {"who": by, "version": last}
        raise Conflict(what, where="dispatch", remedy="Look at it, then edit again.")
    Part.objects.filter(city=principal.city, name="dispatch", active=True).update(active=False)
    return Part.objects.create(
        city_id=principal.city, name="dispatch", version=last + 1, value=value, at=datetime.now(UTC), by=principal.username,
        why=why,
    )  # fmt: skip
