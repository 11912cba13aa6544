"""The numbers of scenes on the pages and over HTTP: each with what it came of, what to do, and the list to act on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chengshu.brain.models import Look, Point, SceneState
from chengshu.parties.models import Account
from chengshu.places.models import City
from tests.web.conftest import Browser

SLOT = timedelta(minutes=10)


@pytest.fixture
def computed(hangzhou: City) -> datetime:
    """Three slots of two indicators; the end of the last."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    SceneState.objects.create(city=hangzhou, scene="crowd", detector="surge", seen_until=end)
    for n, people in enumerate((120, 1480, 990)):
        at = end - (2 - n) * SLOT
        look = Look.objects.create(
            city=hangzhou, scene="crowd", source="metro_inflow", since=at - SLOT, until=at, rows=81, things=81,
            findings=0, lesson=at.date(), version="1", at=at,
        )  # fmt: skip
        about = {"look": look, "city": hangzhou, "scene": "crowd", "at": at}
        Point.objects.create(**about, indicator="network_inflow", value=people)
        Point.objects.create(**about, indicator="top_stations", thing="9", value=people / 10)
    return end


def test_the_numbers_lead_to_their_lines_and_these_to_the_cases(browser: Browser, computed: datetime) -> None:
    Account.objects.filter(username="shift").update(language="en")
    page = browser("shift").get("/cockpit/scenes").content.decode()
    assert "990" in page
    assert "Metro crowds" in page
    assert "/cockpit/scenes/crowd/network_inflow" in page
    assert "/cockpit/cases?which=open&amp;scene=crowd" in page
    line = browser("shift").get("/cockpit/scenes/crowd/network_inflow").content.decode()
    assert "1,480" in line
    assert "<svg" in line
    assert f"at-{computed:%Y%m%dT%H%M%S}" in line
    things = browser("shift").get("/cockpit/scenes/crowd/top_stations?hours=6").content.decode()
    assert "thing=9" in things


def test_the_series_come_with_their_lineage(browser: Browser, computed: datetime, hangzhou: City) -> None:
    client = browser("analyst")
    [scene] = [each for each in client.get("/api/scenes").json() if each["name"] == "crowd"]
    inflow = next(each for each in scene["indicators"] if each["name"] == "network_inflow")
    assert (inflow["value"], inflow["unit"], inflow["thing"]) == (990.0, "{person}/(10.min)", None)
    assert inflow["verb"]["zh"]
    since = (computed - 2 * SLOT).isoformat().replace("+00:00", "Z")
    got = client.get(f"/api/scenes/crowd/indicators/network_inflow?since={since}").json()
    assert [value["value"] for value in got["values"]] == [1480.0, 990.0]  # since itself is not in it
    assert (got["values"][-1]["rows"], got["values"][-1]["lesson"]) == (81, computed.date().isoformat())
    one = client.get(f"/api/scenes/crowd/indicators/top_stations?since={since}&thing=9&limit=1").json()
    assert [value["thing"] for value in one["values"]] == ["9"]


def test_what_is_not_there_and_spans_that_are_none_are_refused(browser: Browser, computed: datetime) -> None:
    client = browser("analyst")
    assert client.get("/api/scenes/crowd/indicators/none").status_code == 404
    assert client.get("/api/scenes/none/indicators/network_inflow").status_code == 404
    path = "/api/scenes/crowd/indicators/network_inflow"
    assert client.get(f"{path}?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z").status_code == 422
    assert client.get(f"{path}?since=2026-01-02T00:00:00").status_code == 422  # no zone
    assert client.get(f"{path}?limit=100000").status_code == 422
    assert browser("shift").get("/cockpit/scenes/crowd/none").status_code == 404
