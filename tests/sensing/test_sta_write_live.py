"""Many at once, on a city that really runs: nothing twice, nothing half, no error of the server's own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import frost_sta_client as fsc
import pytest
import requests

from tests.running import city, token
from tests.sensing.test_sta_write import FARM, datastream, location, thing

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def running() -> None:
    """Started once, before threads ask for it."""
    city()
    token("gateway", "gateway")


def root() -> str:
    return f"{city().url}/sta/v1.1"


def send(method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
    known = {"Authorization": f"Bearer {token('gateway', 'gateway')}", **headers}
    return requests.request(method, root() + path, json=body, headers=known, timeout=60)


def at_once(*acts: Callable[[], requests.Response]) -> list[requests.Response]:
    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(act) for act in acts]]


def made(answer: requests.Response) -> int:
    assert answer.status_code == 201, answer.text
    return int(answer.json()["@iot.id"])


def station(name: str = "station") -> tuple[int, int]:
    number = made(send("POST", "/Things", thing(name=name, Locations=[location()], Datastreams=[datastream()])))
    return number, int(send("GET", f"/Things({number})/Datastreams").json()["value"][0]["@iot.id"])


def test_a_key_is_given_once_and_an_asker_twice_answered_once() -> None:
    key = f"K-{uuid4()}"
    answers = at_once(*[lambda: send("POST", "/Things", thing(properties={"key": key}))] * 4)
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    name, header = f"once {uuid4()}", {"Idempotency-Key": str(uuid4())}
    again = at_once(*[lambda: send("POST", "/Things", thing(name=name), **header)] * 4)
    assert len({made(each) for each in again}) == 1
    assert len(send("GET", f"/Things?$filter=name eq '{name}'").json()["value"]) == 1


def test_a_thing_is_moved_while_it_observes() -> None:
    number, stream = station()
    places = [made(send("POST", "/Locations", location(f"place {n}", FARM))) for n in range(3)]
    moves = [
        lambda p=place: send("PATCH", f"/Things({number})", {"Locations": [{"@iot.id": p}]}) for place in places * 2
    ]
    seen = [lambda n=n: send("POST", f"/Datastreams({stream})/Observations", {"result": n}) for n in range(12)]
    answers = at_once(*moves, *seen)
    assert {each.status_code for each in answers} == {200, 201}, [
        each.text for each in answers if each.status_code > 201
    ]
    assert send("GET", f"/Datastreams({stream})/Observations/$count").text == "12"
    assert len(send("GET", f"/Things({number})/Locations").json()["value"]) == 1
    assert len(send("GET", f"/Things({number})/HistoricalLocations").json()["value"]) == 7
    found = send("GET", f"/Datastreams({stream})/Observations?$expand=FeatureOfInterest").json()["value"]
    assert all(each["FeatureOfInterest"]["@iot.id"] for each in found)


def test_a_datastream_is_deleted_while_it_observes() -> None:
    _, stream = station()
    times = [f"2026-11-20T10:{minute:02}:00Z" for minute in range(40)]
    group = {"Datastream": {"@iot.id": stream}, "components": ["phenomenonTime", "result"]}
    arrays = [lambda t=time: send("POST", "/CreateObservations", [{**group, "dataArray": [[t, 1]]}]) for time in times]
    answers = at_once(*arrays[:20], lambda: send("DELETE", f"/Datastreams({stream})"), *arrays[20:])
    assert {each.status_code for each in answers} <= {200, 201}, {
        each.text for each in answers if each.status_code > 201
    }
    assert send("GET", f"/Datastreams({stream})").status_code == 404
    links = [link for each in answers if each.status_code == 201 for link in each.json() if link != "error"]
    assert all(send("GET", link.removeprefix(root())).status_code == 404 for link in links)


def test_one_observation_is_changed_by_many() -> None:
    _, stream = station()
    number = made(
        send("POST", f"/Datastreams({stream})/Observations", {"result": 0, "phenomenonTime": "2026-11-20T10:00:00Z"})
    )
    acts = [
        lambda n=n: send(
            "PATCH", f"/Observations({number})", {"result": n, "phenomenonTime": f"2026-11-{10 + n}T10:00:00Z"}
        )
        for n in range(8)
    ]
    assert {each.status_code for each in at_once(*acts)} == {200}
    found = send("GET", f"/Datastreams({stream})/Observations").json()["value"]
    assert [each["@iot.id"] for each in found] == [number]
    assert found[0]["phenomenonTime"].startswith(f"2026-11-{10 + found[0]['result']}T10")


def test_the_usual_client_writes() -> None:
    service = fsc.SensorThingsService(root(), auth_handler=None)
    service.execute = _authorised(service.execute)  # type: ignore[method-assign]
    one = fsc.Thing(name="client", description="made by a client", properties={"x": 1})
    place = fsc.Location(
        name="l",
        description="l",
        encoding_type="application/geo+json",
        location={"type": "Point", "coordinates": [120.1, 30.2]},
    )
    one.locations = [place]
    service.create(one)
    number = one.id
    one = service.things().find(number)
    one.name = "renamed"
    service.update(one)
    service.patch(one, [{"op": "replace", "path": "/description", "value": "patched"}])
    found = service.things().find(number)
    assert (found.name, found.description) == ("renamed", "patched")
    service.delete(found)
    assert send("GET", f"/Things({number})").status_code == 404


def _authorised(execute: Callable[..., Any]) -> Callable[..., Any]:
    def with_token(method: str, url: Any, **more: Any) -> Any:
        known = {"Authorization": f"Bearer {token('gateway', 'gateway')}", **more.pop("headers", {})}
        return execute(method, url, headers=known, **more)

    return with_token
