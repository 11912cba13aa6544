"""Dispatch rules: which one decides and why, mistakes in a table, trying one, saving one, going back."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chengshu.cases import rules
from chengshu.cases.catalog import Catalog, catalog, forget
from chengshu.cases.dispatch import Facts, decide, find_unit, last_resort
from chengshu.cases.models import Case, CaseType, Outbox, Step
from chengshu.core.errors import Conflict, Invalid, Mistakes, NotAllowed
from chengshu.parties.models import Audit, Department
from chengshu.places.models import City, Part
from tests.cases.people import APPEAL_TYPE, CENTRE, EAST, INCIDENT_TYPE, PHOTO_TYPE, START, STREET, UNIT, WEST, Cast

NIGHT = START + timedelta(hours=12)
ALL: dict[str, Any] = {"id": "all", "when": {}, "unit": "HZ-YX", "because": "兜底"}


@pytest.fixture
def known(hangzhou: City) -> Catalog:
    return catalog(hangzhou.pk)


def facts(
    known: Catalog, type: str | None = PHOTO_TYPE, division: str = STREET, at: datetime = START, **more: Any
) -> Facts:
    found = known.type(type) if type else None
    places = known.divisions[known.division(division, START.date())].path
    fields: dict[str, Any] = {
        "source": "citizen",
        "severity": 3,
        "kind": found.kind_id if found else known.kind("urban").pk,
    }
    return Facts(type=found.pk if found else None, at=at, places=places, **(fields | more))


def rule(table: list[dict[str, Any]], known: Catalog, **more: Any) -> str:
    decision = decide(known, facts(known, **more), [*table, ALL])
    assert decision is not None
    return decision.rule


def test_the_first_matching_rule_decides_and_says_why(known: Catalog) -> None:
    decision = decide(known, facts(known))
    assert decision is not None
    assert (decision.rule, decision.unit.code) == ("cleanliness", "330106-HW")
    assert decision.because == "环境卫生由环境卫生管理中心负责。" and "sanitation" in decision.because_en
    swapped = [{**ALL, "id": "a"}, {**ALL, "id": "b"}]
    assert rule(swapped, known) == "a"


@pytest.mark.parametrize(
    ("when", "yes", "no"),
    [
        ({"kind": ["urban"]}, {}, {"type": APPEAL_TYPE}),
        ({"type": [PHOTO_TYPE]}, {}, {"type": "env.dirty_road"}),
        ({"major": ["市容环境"]}, {}, {"type": INCIDENT_TYPE}),
        ({"minor": ["环境卫生"]}, {}, {"type": None}),
        ({"source": ["citizen", "hotline"]}, {}, {"source": "patrol"}),
        ({"severity_max": 2}, {"severity": 2}, {"severity": 3}),
        ({"division": [WEST]}, {}, {"division": EAST}),
        ({"division": [330106]}, {}, {"division": EAST}),
        ({"hours": "working"}, {}, {"at": NIGHT}),
        ({"hours": "off"}, {"at": NIGHT}, {}),
        ({"kind": ["urban"], "hours": "off"}, {"at": NIGHT}, {"at": NIGHT, "type": APPEAL_TYPE}),
    ],
)
def test_conditions(known: Catalog, when: dict[str, Any], yes: dict[str, Any], no: dict[str, Any]) -> None:
    table = [{"id": "it", "when": when, "unit": "HZ-YX"}]
    assert rule(table, known, **yes) == "it"
    assert rule(table, known, **no) == "all"


def test_a_rule_whose_unit_is_not_there_is_passed_over(known: Catalog) -> None:
    table = [{"id": "it", "when": {}, "unit": {"function": "sanitation", "level": "district"}}]
    assert rule(table, known) == "it"
    assert rule(table, known, division="3301") == "all"


def test_the_nearest_unit_of_a_function(known: Catalog) -> None:
    places = facts(known).places
    found = [
        find_unit(known, wanted, places)
        for wanted in ({"function": "enforcement"}, {"function": "sanitation", "level": "city"})
    ]
    assert [unit.code if unit else None for unit in found] == ["330106002-ZF", "HZ-HW"]
    assert find_unit(known, {"function": "no such"}, places) is None
    centre = last_resort(known, places)
    assert centre is not None and centre.code == CENTRE


def test_without_a_rule_that_fits_nobody_is_chosen(known: Catalog) -> None:
    assert decide(known, facts(known), []) is None


def test_the_reason_stands_in_the_step(cast: Cast) -> None:
    story = cast.case("registered")
    story.move("dispatcher", "dispatch")
    step = Step.objects.filter(case=story.id).latest("seq")
    assert step.facts["rule"] == "cleanliness" and step.facts["because"]
    assert step.unit is not None and step.unit.code == "330106-HW"
    by_hand = cast.case("dispatched")
    assert "rule" not in Step.objects.filter(case=by_hand.id).latest("seq").facts


def test_the_table_of_the_pack_has_no_mistake(known: Catalog) -> None:
    rules.check(known, known.parts["dispatch"]["rules"])


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"id": ""}, "needs `id`"),
        ({"unit": None}, "needs `id` and `unit`"),
        ({"because": ""}, "reason"),
        ({"because": None}, "reason"),
        ({"comment": "试"}, "comment"),
        ({"when": None}, "always matches"),
        ({"when": {"source": [""]}}, "source"),
        ({"unit": {"function": "metro", "level": "grid"}}, "grid"),
        ({"unit": {"function": "metro", "city": "x"}}, "neither"),
        ({"unit": {"function": "metro", "level": "community"}}, "community"),
        ({"when": ["kind"]}, "no mapping"),
        ({"when": {"colour": ["red"]}}, "colour"),
        ({"when": {"kind": ["no"]}}, "'no'"),
        ({"when": {"type": ["no"]}}, "'no'"),
        ({"when": {"type": "env.exposed_rubbish"}}, "list"),
        ({"when": {"major": 5}}, "list"),
        ({"when": {"division": 330106}}, "list"),
        ({"when": {"division": ["9999"]}}, "9999"),
        ({"when": {"major": ["没有"]}}, "没有"),
        ({"when": {"minor": ["没有"]}}, "没有"),
        ({"when": {"severity_max": "2"}}, "severity_max"),
        ({"when": {"severity_max": 7}}, "severity_max"),
        ({"when": {"hours": "night"}}, "hours"),
        ({"unit": "NOBODY"}, "NOBODY"),
        ({"unit": ["HZ-YX"]}, "neither"),
        ({"unit": {"level": "city"}}, "neither"),
        ({"unit": {"function": "no"}}, "'no'"),
        ({"unit": {"function": ["metro"]}}, "metro"),
        ({"unit": {"function": "metro", "level": "moon"}}, "moon"),
        ({"unit": {"function": "metro", "level": ["city"]}}, "city"),
        ({"id": "all"}, "twice"),
        ({"because": 5}, "because"),
        ({"when": {"type": [["x"]]}}, "x"),
        ({"id": ["x"]}, "id"),
    ],
)
def test_every_mistake_is_told_with_its_rule(known: Catalog, wrong: dict[str, Any], what: str) -> None:
    good = {"id": "it", "when": {"kind": ["urban"]}, "unit": "HZ-YX", "because": "试"}
    with pytest.raises(Mistakes) as found:
        rules.check(known, [{**good, **wrong}, ALL])
    assert all(m.where and m.what and m.remedy for m in found.value.mistakes)
    assert any(what in m.what for m in found.value.mistakes), found.value


def test_no_rule_names_what_is_retired_nor_sends_there(known: Catalog) -> None:
    table = [{"id": "it", "when": {"type": [PHOTO_TYPE]}, "unit": UNIT, "because": "试"}, ALL]
    rules.check(known, table)
    CaseType.objects.filter(code=PHOTO_TYPE).update(active=False)
    Department.objects.filter(code=UNIT).update(active=False)
    forget()
    now = catalog(known.city.pk)
    with pytest.raises(Mistakes) as found:
        rules.check(now, table)
    told = " ".join(mistake.what for mistake in found.value.mistakes)
    assert PHOTO_TYPE in told and UNIT in told
    assert rule(table[:1], now) == "all"  # also where the table is older than the end of the unit


def test_a_saved_table_is_one_that_a_pack_may_hold(cast: Cast) -> None:
    [first] = rules.history(cast.city.pk)
    saved = rules.save(cast("administrator"), [{**ALL, "when": None}], why="想改一改", seen=first.version)
    assert saved.value == {"rules": [ALL]}


def test_the_versions_listed_have_an_end(hangzhou: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_VERSIONS", 2)
    for version in (2, 3):
        Part.objects.create(
            city=hangzhou, name="dispatch", version=version, value={}, at=START, by="a", why="b", active=False
        )
    assert [part.version for part in rules.history(hangzhou.pk)] == [3, 2]


def test_the_last_resort_goes_to_the_centre_and_not_where_the_rules_send(cast: Cast) -> None:
    story = cast.case("registered")
    story.move("shift_leader", "last_resort")
    assert story.row.unit is not None and story.row.unit.code == CENTRE
    step = Step.objects.filter(case=story.id).latest("seq")
    assert step.facts["rule"] == "last_resort" and step.facts["because"]


def test_all_mistakes_come_at_once(known: Catalog) -> None:
    table = [{"id": "a", "when": {"kind": ["no"]}, "unit": "NO"}, {"id": "a", "when": {"x": 1}, "unit": "HZ-YX"}]
    with pytest.raises(Mistakes) as found:
        rules.check(known, table)
    assert {m.where for m in found.value.mistakes} == {"rule a", "last rule"} and len(found.value.mistakes) == 8


def test_an_empty_table_has_no_fallback(known: Catalog) -> None:
    with pytest.raises(Mistakes, match="fallback"):
        rules.check(known, [])


def test_trying_a_table_counts_and_writes_nothing(cast: Cast) -> None:
    now = START + timedelta(days=1)
    for _ in range(3):
        cast.report()
    cast.report(type=APPEAL_TYPE)
    cast.report(division=EAST)
    cast.report(at=START - timedelta(days=60))
    before = (
        Case.objects.count(),
        Step.objects.count(),
        Outbox.objects.count(),
        rules.history(cast.city.pk)[0].version,
    )
    table = [{"id": "mine", "when": {"type": [PHOTO_TYPE], "division": [WEST]}, "unit": UNIT, "because": "试"}]
    table += copy.deepcopy(catalog(cast.city.pk).parts["dispatch"]["rules"])
    found = rules.simulate(cast("shift_leader"), table, now=now)
    assert (found.cases, found.same, found.changed, found.undecided) == (5, 2, 3, 0)
    assert found.by_rule["mine"] == 3 and found.flows == [
        ("西湖区环境卫生管理中心", "西湖区城市管理局（综合行政执法局）", 3)
    ]
    assert len(found.moved) == 3 and {m[3] for m in found.moved} == {"mine"}
    with pytest.raises(NotAllowed):
        rules.simulate(cast("shift_leader", division=EAST), table, now=now)
    after = (Case.objects.count(), Step.objects.count(), Outbox.objects.count(), rules.history(cast.city.pk)[0].version)
    assert after == before


def test_saving_needs_a_role_a_reason_and_the_version_seen(cast: Cast) -> None:
    [first, *_] = rules.history(cast.city.pk)
    for role in ("operator", "dispatcher", "citizen", "leader"):
        with pytest.raises(NotAllowed):
            rules.save(cast(role), [ALL], why="想改一改", seen=first.version)
    with pytest.raises(NotAllowed):
        rules.save(cast("shift_leader", division=WEST), [ALL], why="想改一改", seen=first.version)
    with pytest.raises(Invalid, match="reason"):
        rules.save(cast("administrator"), [ALL], why=" 改 ", seen=first.version)
    with pytest.raises(Mistakes):
        rules.save(cast("administrator"), [], why="想改一改", seen=first.version)
    with pytest.raises(Conflict, match=first.by):
        rules.save(cast("administrator"), [ALL], why="想改一改", seen=first.version - 1)
    assert rules.history(cast.city.pk) == [first]


def test_a_saved_table_decides_at_once_and_the_old_one_can_come_back(cast: Cast) -> None:
    admin = cast("administrator")
    [old] = rules.history(cast.city.pk)
    story = cast.case("registered")
    saved = rules.save(admin, [ALL], why="演练：全部由市中心处置", seen=old.version)
    assert (saved.version, saved.by, saved.active) == (old.version + 1, admin.username, True)
    story.move("dispatcher", "dispatch")
    unit = story.row.unit
    assert unit is not None and unit.code == "HZ-YX"
    entry = Audit.objects.latest("pk")
    assert (entry.action, entry.account_id, entry.facts["why"]) == (
        "rules.save",
        admin.account,
        "演练：全部由市中心处置",
    )
    back = rules.save(admin, old.value["rules"], why="演练结束，恢复原表", seen=saved.version)
    assert [part.active for part in rules.history(cast.city.pk)] == [True, False, False]
    assert back.value == old.value
    assert City.objects.get(pk=cast.city.pk).version >= cast.city.version + 2
    assert datetime.now(UTC) - back.at < timedelta(minutes=1)


@pytest.mark.parametrize(
    "odd", ["\x00", "\ud800", float("nan"), float("inf"), START], ids=["NUL", "surrogate", "NaN", "inf", "date"]
)
@pytest.mark.parametrize("field", ["because", "comment"])
def test_what_cannot_be_kept_is_refused(cast: Cast, odd: object, field: str) -> None:
    [first] = rules.history(cast.city.pk)
    with pytest.raises(Invalid):
        rules.save(cast("administrator"), [{**ALL, field: odd}], why="想改一改", seen=first.version)
    with pytest.raises(Invalid):
        rules.check(catalog(cast.city.pk), [{**ALL, "when": {"source": [odd]}}, ALL])


def test_a_reason_with_nul_is_refused(cast: Cast) -> None:
    with pytest.raises(Invalid, match="NUL"):
        rules.save(cast("administrator"), [ALL], why="想改\x00一改", seen=1)
