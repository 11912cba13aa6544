"""Whatever falls silent or faulty becomes one maintenance case, an outage one for all, and its recovery is told to the case."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from chengshu.brain import upkeep
from chengshu.brain.models import Upkeep
from chengshu.cases.advance import advance
from chengshu.cases.models import Case, Report
from chengshu.cases.records import MoveRequest
from chengshu.core.errors import NotAllowed
from chengshu.parties.models import Department
from chengshu.parties.principal import Principal
from chengshu.places.models import City, Division
from chengshu.sensing import liveness
from chengshu.sensing.models import Thing, ThingChange

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
Who = Callable[[str], Principal]


def put(city: City, name: str = "一号水位计", **more: object) -> Thing:
    xihu = Division.objects.get(city=city, code="330106", valid_to=None)
    given = {"type": "water_gauge", "places": xihu.path, "key": name, "last_seen": NOW, "lon": 120.13, "lat": 30.26}
    return Thing.objects.create(city=city, name=name, description="", **{**given, **more})


def pass_time(now: datetime) -> int:
    liveness.tick(now)
    return upkeep.tick(now)


def silent(city: City, count: int, **more: object) -> list[Thing]:
    made = [put(city, f"水位计{i:03}", **more) for i in range(count)]
    pass_time(NOW)
    pass_time(NOW + 3 * HOUR)
    return made


def test_a_silent_thing_is_a_case_of_who_mends_it(hangzhou: City, who: Who) -> None:
    [one] = silent(hangzhou, 1, duty=Department.objects.get(city=hangzhou, code="330106-CGJ"))
    assert not Case.objects.exists()  # it may be an outage yet
    assert pass_time(NOW + 3 * HOUR + 16 * MINUTE) == 1
    [case] = Case.objects.all()
    assert (case.title, case.unit.code, case.type.code, case.division.code, case.scene, case.source) == (
        "水位计失联：水位计000", "330106-CGJ", "equip.upkeep", "330106", "upkeep", "sensing",
    )  # fmt: skip
    assert "最后一次收到数据：2026-11-20 20:00" in case.description and "120" in case.description
    assert upkeep.running(who("dispatcher"), [one.pk]) == {one.pk: [case.number]}
    assert pass_time(NOW + 4 * HOUR) == 0 and Report.objects.count() == 1


def test_without_a_duty_unit_the_function_of_its_type_decides(hangzhou: City) -> None:
    silent(hangzhou, 1)
    pass_time(NOW + 4 * HOUR)
    assert Case.objects.get().unit.function == "water_resources"


def test_what_speaks_again_in_time_bothers_nobody(hangzhou: City) -> None:
    [one] = silent(hangzhou, 1)
    Thing.objects.filter(pk=one.pk).update(last_seen=NOW + 3 * HOUR + MINUTE)
    assert pass_time(NOW + 3 * HOUR + 2 * MINUTE) == 0
    assert pass_time(NOW + 3 * HOUR + 20 * MINUTE) == 0
    assert not Case.objects.exists() and not ThingChange.objects.filter(told=False).exists()


def test_the_case_hears_that_it_speaks_again_and_of_its_next_silence(hangzhou: City) -> None:
    [one] = silent(hangzhou, 1)
    pass_time(NOW + 4 * HOUR)
    Thing.objects.filter(pk=one.pk).update(last_seen=NOW + 5 * HOUR)
    assert pass_time(NOW + 5 * HOUR + MINUTE) == 1
    case = Case.objects.get()
    said = Report.objects.filter(case=case).order_by("received_at").last()
    assert case.closed_at is None and said and said.payload["title"] == "水位计000 已恢复正常。请核实后结案。"
    assert not Upkeep.objects.filter(ended_at=None).exists()
    pass_time(NOW + 8 * HOUR)
    assert pass_time(NOW + 9 * HOUR) == 1
    assert Case.objects.count() == 1 and Report.objects.count() == 3  # it joined what is open
    assert Upkeep.objects.get().ended_at is None


def test_a_crash_between_state_and_case_loses_and_doubles_nothing(
    hangzhou: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent(hangzhou, 3)

    def crash(*_args: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as broken:
        broken.setattr(upkeep, "_keep", crash)  # after the reports, before it is noted
        with pytest.raises(RuntimeError):
            upkeep.tick(NOW + 4 * HOUR)
    assert not Case.objects.exists()
    assert [upkeep.tick(NOW + 4 * HOUR), upkeep.tick(NOW + 4 * HOUR)] == [3, 0]
    assert Case.objects.count() == Upkeep.objects.count() == 3


def test_an_outage_is_one_case_with_its_things(hangzhou: City) -> None:
    owner = Department.objects.get(city=hangzhou, function="water", level=1)
    made = silent(hangzhou, 12, owner=owner)
    [case] = Case.objects.all()
    assert case.title == "杭州市水务集团的12台水位计同时失联" or "12" in case.title
    assert Upkeep.objects.filter(case=case).count() == 12 and case.unit is not None
    late = put(hangzhou, "水位计后", owner=owner)
    liveness.tick(NOW + 3 * HOUR + MINUTE)
    assert upkeep.tick(NOW + 3 * HOUR + 5 * MINUTE) == 1  # joins the outage that runs
    assert Case.objects.count() == 1 and Upkeep.objects.filter(case=case, thing=late).exists()
    other = put(hangzhou, "另一台")
    liveness.tick(NOW + 3 * HOUR + 7 * MINUTE)
    pass_time(NOW + 4 * HOUR)
    assert Upkeep.objects.get(thing=other).case_id != case.pk  # another owner's
    Thing.objects.filter(pk__in=[one.pk for one in made]).update(last_seen=NOW + 5 * HOUR)
    assert pass_time(NOW + 5 * HOUR + MINUTE) == 1  # one word for all of them
    assert "12" in Report.objects.filter(case=case).order_by("received_at").last().payload["title"]  # type: ignore[union-attr]


def test_a_faulty_thing_is_judged_anew_when_its_case_ends(hangzhou: City, who: Who) -> None:
    one = put(hangzhou)
    pass_time(NOW)
    liveness.mark_faulty([one.pk], at=NOW, why="读数三小时未变")
    assert pass_time(NOW + MINUTE) == 1
    case = Case.objects.get()
    assert "读数三小时未变" in case.description
    [done] = advance(
        [MoveRequest(case=case.pk, move="reject", note="误报")], actor=who("operator"), at=NOW + 2 * MINUTE
    )
    assert done.ok
    pass_time(NOW + 3 * MINUTE)
    one.refresh_from_db()
    assert one.state == "live" and not Upkeep.objects.filter(ended_at=None).exists()


def test_a_person_has_a_thing_mended(hangzhou: City, who: Who) -> None:
    one = put(hangzhou, duty=Department.objects.get(city=hangzhou, code="330106-CGJ"))
    first = upkeep.open_case(who("dispatcher"), one, "立杆倾斜", NOW)
    again = upkeep.open_case(who("handler"), one, "还是倾斜", NOW + MINUTE)
    assert (first.verdict, again.verdict, first.case) == ("opened", "joined", again.case)
    for other in ("steward", "citizen", "gateway"):
        with pytest.raises(NotAllowed):
            upkeep.open_case(who(other), one, "x", NOW)
    far = put(hangzhou, "别处", duty=None)
    with pytest.raises(NotAllowed):
        upkeep.open_case(who("handler"), far, "x", NOW)


def test_a_city_without_a_case_type_shows_states_and_opens_nothing(hangzhou: City) -> None:
    silent(hangzhou, 2, type="unheard_of")
    from chengshu.places.models import Part

    Part.objects.filter(city=hangzhou, name="thing_types").update(value={"types": {}})
    liveness.tick(NOW + 48 * HOUR)
    pass_time(NOW + 49 * HOUR)
    assert not Case.objects.exists() and not ThingChange.objects.filter(told=False).exists()
