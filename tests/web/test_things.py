"""Vital signs, the register and each thing as people see them: numbers open lists, lists have acts, changes leave traces."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from chengshu.brain import upkeep
from chengshu.cases.models import Case
from chengshu.parties.models import Account, Audit, Department, Post
from chengshu.parties.principal import Principal
from chengshu.parties.tokens import issue
from chengshu.places.models import City, Division, Part
from chengshu.sensing import kinds, liveness, vitals
from chengshu.sensing.accept import accept
from chengshu.sensing.decode import ndjson
from chengshu.sensing.known import changed
from chengshu.sensing.models import Datastream, Thing, ThingChange
from tests.sensing.conftest import Stream, stream

__all__ = ["stream"]
pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
Who = Callable[[str], Principal]
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


def put(city: City, name: str, code: str = "330106", **more: object) -> Thing:
    place = Division.objects.get(city=city, code=code, valid_to=None)
    given = {"type": "water_gauge", "places": place.path, "key": name, "last_seen": NOW}
    return Thing.objects.create(city=city, name=name, description="", **{**given, **more})


@pytest.fixture
def fleet(hangzhou: City) -> dict[str, Thing]:
    """Six things in two districts: three live, one late, one silent, one never heard of."""
    unit = Department.objects.get(city=hangzhou, code="330106-CGJ")
    made = [
        put(hangzhou, "甲一", owner=unit), put(hangzhou, "甲二", last_seen=NOW - HOUR), put(hangzhou, "乙一", "330109"),
        put(hangzhou, "乙二", "330109", last_seen=NOW - 9 * HOUR, duty=unit), put(hangzhou, "丙", type="", last_seen=None),
        put(hangzhou, "丁", type="camera"),
    ]  # fmt: skip
    liveness.tick(NOW)
    return {thing.name: thing for thing in made}


def read(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address, follow=True)
    assert answer.status_code == status, address
    return answer.content.decode()


def names(page: str) -> set[str]:
    return set(re.findall(r'<a class="title" href="/things/\d+">([^<]+)</a>', page))


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_vital_signs_speak_the_readers_language(browser: Browser, fleet: dict[str, Thing], language: str) -> None:
    Account.objects.update(language=language)
    page = read(browser("operator"), "/things")
    for word in {
        "zh-hans": ("城市运行体征", "失联", "西湖区", "水位计"),
        "en": ("City vital signs", "Silent", "Water gauge"),
    }[language]:
        assert word in page
    assert re.search(r'data-count="1"', page)


def test_every_number_opens_a_list_of_as_many(browser: Browser, fleet: dict[str, Thing]) -> None:
    client = browser("operator")
    page = read(client, "/things")
    found = re.findall(r'<a href="(/things/register[^"#]*)"(?: class="is-late")?(?: title="[^"]*")?>([\d,]+)</a>', page)
    found += re.findall(r'href="(/things/register[^"#]*)"><span>[^<]*</span><b data-count="(\d+)"', page)
    assert len(found) > 10
    for address, number in found:
        assert len(names(read(client, address.replace("&amp;", "&")))) == int(number), address


def test_who_sees_which(browser: Browser, fleet: dict[str, Thing], hangzhou: City) -> None:
    assert names(read(browser("operator"), "/things/register")) == set(fleet)
    assert names(read(browser("handler"), "/things/register")) == {"甲一", "乙二"}  # theirs, and theirs to mend
    read(browser("handler"), f"/things/{fleet['丁'].pk}", status=404)
    page = read(browser("handler"), "/things")
    assert re.search(r'<span>(?:Silent|失联)</span><b data-count="1">', page)
    read(browser("operator"), f"/things/{2**70}", status=404)


def test_filters_and_pages(browser: Browser, fleet: dict[str, Thing], hangzhou: City) -> None:
    client = browser("operator")

    def listed(query: str) -> set[str]:
        return names(read(client, f"/things/register?{query}"))

    assert listed("q=甲") == {"甲一", "甲二"} and listed("q=丙") == {"丙"}
    assert listed("type=-") == {"丙"} and listed("state=late") == {"甲二"}
    assert listed("owner=330106-CGJ") == {"甲一"} and listed("duty=330106-CGJ&state=silent") == {"乙二"}
    xiaoshan = Division.objects.get(city=hangzhou, code="330109", valid_to=None)
    assert listed(f"division={xiaoshan.pk}") == {"乙一", "乙二"}
    assert listed("owner=没有的部门") == listed("state=' OR 1=1") == listed("division=x") == set()
    for i in range(60):
        put(hangzhou, f"批{i:02}")
    first = read(client, "/things/register?q=批")
    follow = re.search(r'href="(\?[^"]*after=\d+)" rel="next"', first)
    assert follow
    rest = names(read(client, f"/things/register{follow[1].replace('&amp;', '&')}"))
    assert len(names(first)) == 50 and len(rest) == 10 and not names(first) & rest


def test_chosen_things_get_maintenance_cases(browser: Browser, fleet: dict[str, Thing], who: Who) -> None:
    client = browser("dispatcher")
    chosen = [fleet["甲二"].pk, fleet["乙二"].pk]
    answer = client.post("/things/act", {"thing": chosen, "do": "upkeep", "why": "巡检发现"}, follow=True)
    assert answer.status_code == 200 and Case.objects.filter(scene=upkeep.SCENE).count() == 2
    case = upkeep.running(who("dispatcher"), chosen)[chosen[0]][0]
    assert names(read(client, f"/things/register?case={case}")) == {"甲二"}
    assert case in read(client, "/things") and case in read(client, f"/things/{chosen[0]}")
    assert client.post("/things/act", {"do": "upkeep", "why": "x"}).status_code == 422
    read(browser("steward"), f"/things/register?case={case}", status=404)  # sees no case


def test_the_steward_retires_and_puts_back_with_a_reason(browser: Browser, fleet: dict[str, Thing]) -> None:
    client, thing = browser("steward"), fleet["乙二"]

    def act(do: str, why: str, **more: str) -> int:
        return client.post(f"/things/{thing.pk}/act", {"do": do, "why": why, **more}).status_code

    assert act("retire", "") == 422 and act("retire", "河道改造拆除") == 302 and act("retire", "again") == 409
    thing.refresh_from_db()
    assert (thing.state, thing.retired_at is not None) == ("retired", True)
    assert act("return", "重新安装") == 302
    thing.refresh_from_db()
    assert thing.state == "silent"  # judged anew at once
    assert act("correct", "移交", owner="330106-CGJ", duty="", type="camera") == 302
    assert act("correct", "移交", owner="nobody", type="camera") == 422
    page = read(client, f"/things/{thing.pk}")
    assert "河道改造拆除" in page and "330106-CGJ" in page
    assert set(Audit.objects.filter(action__startswith="thing.").values_list("action", flat=True)) == {
        "thing.retired", "thing.returned", "thing.changed",
    }  # fmt: skip
    assert browser("operator").post(f"/things/{thing.pk}/act", {"do": "retire", "why": "不要"}).status_code == 403


def test_a_thing_shows_what_it_says(
    browser: Browser, who: Who, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stream("T-1")
    rows = [(NOW - timedelta(minutes=15 * i), 20.0 + i) for i in range(40)]
    lines = [
        f'{{"datastream": {one.pk}, "phenomenonTime": "{at:%Y-%m-%dT%H:%M:%SZ}", "result": {v}}}' for at, v in rows
    ]
    accept(ndjson("\n".join(lines).encode()), actor=who("gateway"), at=NOW)
    Thing.objects.filter(pk=one.thing_id).update(name="<b>温度计</b>")
    page = read(browser("operator"), f"/things/{one.thing_id}?stream={one.pk}")
    assert "&lt;b&gt;温度计" in page and "<b>20</b> Cel" in page and '<svg class="chart"' in page
    assert f"/sta/v1.1/Datastreams({one.pk})" in page
    assert "没有登记的感知设备" in read(browser("operator"), "/things")  # not judged yet
    liveness.tick(NOW)
    assert "<b>20</b> Cel" in read(browser("operator"), "/things")
    monkeypatch.setattr(vitals, "READINGS", 0)  # as if there were more
    assert "随机样本" in read(browser("operator"), "/things")


def test_a_faulty_thing_tells_why(browser: Browser, fleet: dict[str, Thing]) -> None:
    thing = fleet["甲一"]
    liveness.mark_faulty([thing.pk], at=NOW, why="flat line for 3 h")
    assert "flat line for 3 h" in read(browser("operator"), f"/things/{thing.pk}")
    client = browser("steward")
    assert client.post(f"/things/{thing.pk}/act", {"do": "mended", "why": "已更换探头"}).status_code == 302
    thing.refresh_from_db()
    assert thing.state == "live" and ThingChange.objects.filter(act="mended", account__username="steward").exists()


def test_the_administrator_changes_the_types(admin: Client, fleet: dict[str, Thing], hangzhou: City) -> None:
    page = read(admin, "/admin/thing-types")
    assert "Water gauge" in page and 'value="30m"' in page
    part = Part.objects.get(city=hangzhou, name="thing_types", active=True)
    form = {
        "seen": part.version, "do": "save", "why": "measured anew", "default_late_periods": "3", "default_silent_periods": "9",
        "default_late": "1h", "default_silent": "1d", "outage_things": "5", "outage_within": "10m", "code_0": "water_gauge",
        "name_0": "水位计", "late_0": "2h", "silent_0": "12h", "function_0": "water_resources", "source_0": "ours",
    }  # fmt: skip
    refused = admin.post("/admin/thing-types/save", {**form, "silent_0": "1h"})
    assert refused.status_code == 422 and "water_gauge is silent before it is late" in refused.content.decode()
    assert admin.post("/admin/thing-types/save", {**form, "silent_0": "soon"}).status_code == 422
    assert admin.post("/admin/thing-types/save", form).status_code == 302
    said = kinds.kinds(hangzhou.pk)
    assert list(said.types) == ["water_gauge"] and said.types["water_gauge"].late == 7_200.0 and said.outage.things == 5
    liveness.tick(NOW + liveness.LONGEST)
    assert Thing.objects.get(name="甲二").state == "live"  # late no more


def test_machines_read_the_same(fleet: dict[str, Thing], hangzhou: City, client: Client) -> None:
    token = issue(Post.objects.get(account__username="operator"), "test")
    head = {"Authorization": f"Bearer {token}"}
    found = client.get("/api/things?limit=4", headers=head).json()
    rest = client.get(f"/api/things?limit=4&after={found['next']}", headers=head).json()
    assert [t["name"] for t in found["things"] + rest["things"]] == list(fleet) and rest["next"] is None
    silent = client.get("/api/things?state=silent&division=330109", headers=head).json()["things"]
    assert [(t["key"], t["duty"], t["division"]) for t in silent] == [("乙二", "330106-CGJ", "330109")]
    counts = client.get("/api/vitals", headers=head).json()
    assert sum(row["count"] for row in counts["counts"]) == 6 and counts["whole"]
    assert client.get("/api/things?state=odd", headers=head).status_code == 422
    assert client.get("/api/things?division=nowhere", headers=head).status_code == 404
    assert Datastream.objects.count() == 0
    changed()
