"""Writing over HTTP: statuses, headers, who may, and what a client that asks twice gets."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from chengshu.parties.models import Account, Post
from chengshu.parties.tokens import issue
from chengshu.places.models import City
from chengshu.sensing.models import Datastream, HistoricalLocation, Location, ObservedProperty, Sensor, Thing
from tests.sensing.test_sta_write import FARM, LAKE, datastream, location, rows, thing

pytestmark = pytest.mark.django_db
ROOT = "/sta/v1.1"


@dataclasses.dataclass
class Caller:
    """Sends JSON as somebody."""

    token: str

    def __call__(self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str) -> Any:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        names = {
            "Authorization": f"Bearer {self.token}",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        address = path if path.startswith("http") else ROOT + path
        return Client().generic(method, address, content, content_type=kind, headers=names)


@pytest.fixture
def call(hangzhou: City) -> Callable[[str], Caller]:
    return lambda username: Caller(issue(Post.objects.filter(account__username=username)[0], "sta"))


def made(answer: Any) -> int:
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert answer["Location"] == body["@iot.selfLink"]
    return int(body["@iot.id"])


def test_create_read_change_replace_delete(call: Callable[[str], Caller]) -> None:
    ask = call("gateway")
    number = made(ask("POST", "/Things", thing(Locations=[location()], Datastreams=[datastream()])))
    stream = Datastream.objects.get().pk
    seen = made(
        ask("POST", f"/Datastreams({stream})/Observations", {"result": 8, "phenomenonTime": "2015-03-01T00:40:00.000Z"})
    )
    bodies = {
        f"/Things({number})": {"description": "new"},
        f"/Locations({Location.objects.get().pk})": {"location": FARM},
        f"/HistoricalLocations({HistoricalLocation.objects.get().pk})": {"time": "2015-07-01T00:00:00.000Z"},
        f"/Sensors({Sensor.objects.get().pk})": {"metadata": "PATCHED"},
        f"/ObservedProperties({ObservedProperty.objects.get().pk})": {"description": "PATCHED"},
        f"/Datastreams({stream})": {
            "unitOfMeasurement": {"name": "Entropy2", "symbol": "S2", "definition": "http://qudt.org/S2"}
        },
        f"/Observations({seen})": {"phenomenonTime": "2015-07-01T00:40:00.000Z"},
    }
    for path, body in bodies.items():
        before = ask("GET", path).json()
        answer = ask("PATCH", path, body)
        assert answer.status_code == 200, (path, answer.content)
        after = ask("GET", path).json()
        assert answer.json() == after
        changed = {name for name in after if after[name] != before.get(name)}
        assert changed == set(body), path
    assert ask("PATCH", f"/Datastreams({stream})", {"observationType": "x"}).status_code == 200
    assert (
        ask("PUT", f"/Observations({seen})", {"result": "99", "phenomenonTime": "2015-08-01T00:40:00Z"}).json()[
            "result"
        ]
        == "99"
    )
    for path in [f"/Observations({seen})", *[path for path in bodies if not path.startswith("/Obs")]]:
        found = ask("GET", path).json()
        assert ask("PUT", path, found).status_code == 200, path
        assert ask("GET", path).json() == found, path
    for path in reversed(bodies):
        assert ask("DELETE", path).status_code in {200, 404}, path
        assert (
            ask("GET", path).status_code == ask("DELETE", path).status_code == ask("PATCH", path, {}).status_code == 404
        )


def test_posting_to_links(call: Callable[[str], Caller]) -> None:
    ask = call("steward")
    number = made(ask("POST", "/Things", thing()))
    stream = made(ask("POST", f"/Things({number})/Datastreams", datastream()))
    place = made(ask("POST", f"/Datastreams({stream})/Thing/Locations", location()))
    other = made(ask("POST", f"/Locations({place})/Things", thing()))
    assert ask("GET", f"/Things({other})/Locations").json()["value"][0]["@iot.id"] == place
    made(ask("POST", f"/Sensors({Sensor.objects.get().pk})/Datastreams", datastream(Thing={"@iot.id": other}, **{"Sensor": None})
             | {"Sensor": {"@iot.id": Sensor.objects.get().pk}}))  # fmt: skip
    for path in ("/Things(999999)/Datastreams", "/Things(1)/Nothing", "/Nothings", f"/Things({number})/name"):
        assert ask("POST", path, datastream()).status_code in {404, 501}, path
    assert ask("POST", f"/Datastreams({stream})/Thing", thing()).status_code in {404, 405}
    assert ask("DELETE", "/Things").status_code == 405
    assert ask("PATCH", "/Things", {}).status_code == 405
    assert ask("POST", f"/Things({number})", thing()).status_code == 405


def test_things_at_one_place_share_its_feature(call: Callable[[str], Caller]) -> None:
    ask = call("gateway")
    one = made(ask("POST", "/Things", thing(Datastreams=[datastream()])))
    first, second = (
        made(ask("POST", "/Locations", location(name, geometry))) for name, geometry in (("a", LAKE), ("b", FARM))
    )

    def observe(number: int, time: str) -> Any:
        stream = ask("GET", f"/Things({number})/Datastreams").json()["value"][0]["@iot.id"]
        body = {"phenomenonTime": time, "result": 100, "Datastream": {"@iot.id": stream}}
        answer = ask("POST", "/Observations", body)
        assert answer.json()["resultTime"] is None
        return ask("GET", f"/Observations({made(answer)})/FeatureOfInterest").json()

    def stand(number: int, place: int) -> None:
        assert ask("PATCH", f"/Things({number})", {"Locations": [{"@iot.id": place}]}).status_code == 200

    stand(one, first)
    here = observe(one, "2015-03-01T00:00:00.000Z")
    assert here["feature"] == LAKE and here == observe(one, "2015-05-01T00:00:00.000Z")
    stand(one, second)
    there = observe(one, "2015-03-01T01:00:00.000Z")
    assert there["feature"] == FARM and there["@iot.id"] != here["@iot.id"]
    two = made(ask("POST", "/Things", thing(Locations=[{"@iot.id": first}], Datastreams=[datastream()])))
    assert observe(two, "2015-03-01T03:00:00.000Z") == here
    assert ask("DELETE", f"/FeaturesOfInterest({here['@iot.id']})").status_code == 200
    assert observe(two, "2015-03-01T04:00:00.000Z")["@iot.id"] not in {here["@iot.id"], there["@iot.id"]}


def test_what_is_wrong_is_said(call: Callable[[str], Caller]) -> None:
    ask = call("gateway")
    for body in (b"", b"{", b"[]", b"[" * 10_000, b'"\xff"', {"name": 7}):
        answer = ask("POST", "/Things", body)
        assert answer.status_code == 400 and answer.json()["message"], body
    answer = ask("POST", "/Things", {"name": "a", "description": "b", "propertys": {}})
    assert "propertys" in answer.content.decode()
    assert ask("POST", "/Things", b"<a/>", "text/xml").status_code in {400, 415}


def test_who_may(call: Callable[[str], Caller]) -> None:
    number = made(call("gateway")("POST", "/Things", thing()))
    for name in ("dispatcher", "operator"):
        assert call(name)("GET", f"/Things({number})").status_code == 200
        for method, path in (
            ("POST", "/Things"),
            ("PATCH", f"/Things({number})"),
            ("PUT", f"/Things({number})"),
            ("DELETE", f"/Things({number})"),
        ):
            assert call(name)(method, path, thing()).status_code == 403, (name, method)
        assert call(name)("POST", "/CreateObservations", []).status_code == 403
    assert call("citizen")("POST", "/Things", thing()).status_code == 403
    assert Client().post(f"{ROOT}/Things", thing(), content_type="application/json").status_code == 401
    assert Thing.objects.get().name == "station"


def test_another_citys_things_are_not_there(call: Callable[[str], Caller], hangzhou: City) -> None:
    number = made(call("gateway")("POST", "/Things", thing()))
    from chengshu.places.models import Division

    city = City.objects.create(
        name="elsewhere", label="e", label_en="e", timezone="UTC", language="en", number_prefix="XX"
    )
    root = Division.objects.create(city=city, code="1", name="e", level=1, valid_from="2000-01-01", source="x")
    root.path = [root.pk]
    root.save()
    account = Account.objects.create(username="stranger", name="s")
    stranger = Caller(issue(Post.objects.create(account=account, role="gateway", division=root), "sta"))
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        assert stranger(method, f"/Things({number})", thing() if method != "GET" else None).status_code == 404, method
    assert stranger("POST", f"/Things({number})/Datastreams", datastream()).status_code == 404
    assert stranger("POST", "/Datastreams", datastream(Thing={"@iot.id": number})).status_code == 400


def test_an_idempotency_key_creates_once(call: Callable[[str], Caller]) -> None:
    ask = call("gateway")
    first = ask("POST", "/Things", thing(), Idempotency_Key="k-1")
    again = ask("POST", "/Things", thing(), Idempotency_Key="k-1")
    assert made(first) == made(again) and first.content == again.content
    assert Thing.objects.count() == 1
    assert ask("POST", "/Things", thing(name="other"), Idempotency_Key="k-1").status_code == 409


def test_data_arrays(call: Callable[[str], Caller]) -> None:
    ask = call("gateway")
    made(ask("POST", "/Things", thing(Locations=[location()], Datastreams=[datastream()])))
    group = {
        "Datastream": {"@iot.id": Datastream.objects.get().pk},
        "components": ["phenomenonTime", "result"],
        "dataArray": [["2026-11-19T00:00:00Z", 1], ["soon", 2]],
    }
    answer = ask("POST", "/CreateObservations", [group])
    assert answer.status_code == 201
    link, error = answer.json()
    assert error == "error" and ask("GET", link).json()["result"] == 1
    assert ask("POST", "/CreateObservations", [group]).json() == [link, error]
    assert len(rows()) == 1
    assert ask("POST", "/CreateObservations", {"a": 1}).status_code == 400


def test_batches(call: Callable[[str], Caller]) -> None:
    ask = call("gateway")
    requests = [
        {"id": "t", "method": "post", "url": "Things", "body": thing(), "atomicityGroup": "g"},
        {"id": "d", "method": "post", "url": "$t/Datastreams", "body": datastream(), "atomicityGroup": "g"},
        {"id": "o", "method": "post", "url": "Observations", "body": {"result": 1, "Datastream": {"@iot.id": "$d"}}},
        {"id": "r", "method": "get", "url": "$t?$select=name"},
        {"id": "b", "method": "post", "url": "$batch", "body": {"requests": []}},
    ]
    answer = ask("POST", "/$batch", {"requests": requests})
    assert answer.status_code == 200
    found = {each["id"]: each for each in answer.json()["responses"]}
    assert {name: each["status"] for name, each in found.items()} == {"t": 201, "d": 201, "o": 400, "r": 200, "b": 400}
    assert found["r"]["body"] == {"name": "station"}
    content = (
        "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
        "--c\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n"
        f"POST {ROOT}/Things HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{json.dumps(thing(name='set'))}\r\n"
        "--c\r\nContent-Type: application/http\r\nContent-ID: 2\r\n\r\n"
        "POST $1/Locations HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{}\r\n"
        "--c--\r\n--b--\r\n"
    ).encode()
    answer = ask("POST", "/$batch", content, "multipart/mixed; boundary=b")
    assert answer.status_code == 200 and b"HTTP/1.1 400" in answer.content
    assert not Thing.objects.filter(name="set").exists()
    assert call("dispatcher")("POST", "/$batch", {"requests": requests[:1]}).json()["responses"][0]["status"] == 403
