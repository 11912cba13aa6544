"""SensorThings tells the same whether days are hot, sealed, or opened again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chengshu.core.errors import ChengshuError, NotFound
from chengshu.lake import local
from chengshu.parties.principal import Principal
from chengshu.places.models import Division
from chengshu.sensing import store
from chengshu.sensing.models import Datastream, Day, Gone, Thing
from chengshu.sensing.seal import seal
from chengshu.sensing.seam import snapshot
from chengshu.sensing.sta import asked as asking
from chengshu.sensing.sta import sealed, write
from chengshu.sensing.sta.errors import BadQuery
from chengshu.sensing.sta.read import read
from tests.sensing.test_sta_query import BASE, FOUND, Town, town

__all__ = ["town"]
pytestmark = pytest.mark.django_db
Who = Callable[[str], Principal]
Asked = Sequence[tuple[str, str]]
NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, settings: Any) -> None:
    settings.LAKE, settings.SPOOL = str(tmp_path / "lake"), tmp_path / "spool"


def hot() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sensing_observation")
        return int(cursor.fetchone()[0])


def seal_all() -> None:
    days = sorted(Day.objects.filter(hot=True).values_list("day", flat=True))
    assert len(seal(days, now=NOW)) == len(days) > 0
    assert hot() == 0


def thaw_all() -> None:
    """Put all that the lake holds back into partitions: what is asked then is asked of partitions alone."""
    with snapshot() as seen, sealed.opened() as lake:
        assert lake is not None
        lake.bring(seen.cold, "true")
        store.open_days(sorted(seen.cold))
        with connection.cursor() as cursor:
            for day in sorted(seen.cold):
                cursor.execute(
                    f"INSERT INTO {store.partition(day)} ({sealed.COLUMNS})"
                    f" SELECT {_NUMBERED} FROM {sealed.TABLE} b WHERE at >= %s AND at < %s",
                    [day, day + timedelta(days=1)],
                )
    Day.objects.update(cold=False)
    Gone.objects.all().delete()


_FREE = (
    "(SELECT coalesce(max(o.nth) + 1, 0) FROM sensing_observation o WHERE o.datastream = b.datastream AND o.at = b.at)"
)
_NUMBERED = sealed.COLUMNS.replace('"nth"', f"{_FREE} + nth")


def answers(town: Town, asked: Asked) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, query in asked:
        try:
            found[f"{path}?{query}"] = str(read(town.who, path, quote(query, safe="=&$"), BASE).text)
        except ChengshuError as error:
            found[f"{path}?{query}"] = repr(error)
    return found


def same(town: Town, asked: Asked) -> None:
    """What is answered now is what partitions alone would answer."""
    assert Day.objects.filter(cold=True).exists()
    found = answers(town, asked)
    point = transaction.savepoint()
    thaw_all()
    wanted = answers(town, asked)
    transaction.savepoint_rollback(point)
    store.forget()
    wrong = [f"{name}\n   {found[name]}\n   instead of {wanted[name]}" for name in found if found[name] != wanted[name]]
    assert not wrong, "\n".join(wrong)


def filled(town: Town, text: str) -> str:
    return text.format(**town.ids) if any(f"{{{name}}}" in text for name in town.ids) else text


PATHS = [
    *((f"/Observations({{{name}}}){rest}", "") for name in ("o1", "o4", "o7", "x3") for rest in (
        "", "/result", "/result/$value", "/phenomenonTime", "/resultTime/$value", "/$ref", "/Datastream", "/Datastream/Thing",
        "/FeatureOfInterest", "/FeatureOfInterest/Observations", "/Datastream/Observations", "/Datastream/Observations/$count",
        "/Datastream/$ref", "/Datastream/Thing/Datastreams", "/nothing",
    )),
    ("/Datastreams({d1})/Observations({o1})", ""), ("/Datastreams({d1})/Observations({o1})/result", ""),
    ("/Datastreams({d2})/Observations({o1})", ""), ("/Datastreams({d2})/Observations({o1})/FeatureOfInterest", ""),
    ("/Things({t1})/Datastreams({d1})/Observations({o1})", ""), ("/Observations(5)", ""), ("/Observations", ""),
    ("/Observations/$count", ""), ("/Observations/$ref", "$top=3"), ("/Observations", "$count=true&$top=0"),
    ("/Observations/$count", "$filter=result gt 5"), ("/Observations/$count", "$filter=result eq 'open'"),
    ("/Observations/$count", "$filter=phenomenonTime ge 2026-11-20T00:00:00Z and Datastream/Thing/name eq 'Station 1'"),
    ("/Observations/$count", "$filter=FeatureOfInterest/Observations/result eq 5"),
    ("/Observations", "$resultFormat=dataArray"), ("/Observations", "$resultFormat=dataArray&$count=true&$top=4"),
    ("/Datastreams({d1})/Observations", ""), ("/Datastreams({d1})/Observations", "$orderby=phenomenonTime desc&$top=2"),
    ("/Datastreams({d1})/Observations", "$orderby=result desc&$top=1&$count=true"),
    ("/Datastreams({d1})/Observations/$count", ""), ("/Datastreams({d1})/Observations", "$skip=2&$top=2"),
    ("/Datastreams({d1})/Observations", "$skip=99999999&$top=2"),
    ("/Datastreams({d1})/Observations", "$top=2&$expand=Datastream/Observations($top=1;$orderby=phenomenonTime desc)"),
    ("/Datastreams", "$expand=Observations($top=1;$orderby=phenomenonTime desc)"),
    ("/Datastreams", "$expand=Observations($top=2;$skip=1;$count=true;$filter=result gt 5;$select=result)"),
    ("/Datastreams", "$expand=Observations($filter=result eq 'open' or result/door/no eq 4)"),
    ("/Datastreams({d1})", "$expand=Observations"), ("/Datastreams", "$filter=Observations/result gt 20"),
    ("/Datastreams", "$filter=not (Observations/result gt 20)"), ("/Datastreams/$count", "$filter=Observations/result gt 20"),
    ("/Datastreams", "$filter=Observations/result eq 'open'&$count=true"), ("/Datastreams", "$filter=Observations/id eq {o5}"),
    ("/Datastreams", "$filter=Observations/result gt 5 and Observations/result lt 7&$expand=Observations($top=1)"),
    ("/Datastreams", "$orderby=Observations/result desc"), ("/Datastreams", "$orderby=Observations/phenomenonTime"),
    ("/Things", "$expand=Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc,id))"),
    ("/Things", "$expand=Datastreams($filter=Observations/result gt 20;$expand=Observations($top=2;$orderby=result))"),
    ("/Things", "$filter=Datastreams/name eq 'stream d2' and Datastreams/Observations/result eq 6"),
    ("/Things", "$filter=Datastreams/Observations/FeatureOfInterest/name eq 'place 2'"),
    ("/Things", "$filter=Datastreams/Observations/Datastream/Observations/result eq 6"),
    ("/Things", "$orderby=Datastreams/Observations/result desc&$top=1"),
    ("/Sensors", "$expand=Datastreams/Observations($top=2)"),
    ("/Locations", "$filter=Things/Datastreams/Observations/result eq 5"),
    ("/FeaturesOfInterest", "$expand=Observations($top=2;$count=true)"),
    ("/FeaturesOfInterest", "$filter=Observations/result lt 6"),
    ("/FeaturesOfInterest", "$expand=Observations($orderby=phenomenonTime desc;$top=1;$expand=Datastream)"),
    ("/HistoricalLocations", ""), ("/Observations", "$expand=Datastream($expand=Observations($top=1)),FeatureOfInterest&$top=3"),
    ("/Observations", "$filter=nome eq 5"), ("/Observations", "$filter=Datastream eq 5"), ("/Observations", "$expand=Nothing"),
    ("/Observations", "$filter=phenomenonTime gt now() sub duration'P1D'"),
    ("/Observations", "$filter=result mul 1e300 mul 1e300 gt 1"),
    ("/Observations", "$filter=Datastream/Thing/Locations/name eq 'place 1' and Datastream/Thing/Locations/name eq 'place 2'"),
    ("/Observations", "$filter=result ne 'x''; DROP TABLE files; --'"), ("/Observations", "$filter=result eq 'cl\\u006fsed'"),
    ("/Observations", "$filter=result eq '门 \"\\' or result eq false"),
    ("/Observations", "$filter=result in (5,6,10)"), ("/Observations", "$filter=result eq 90071992547409931"),
    ("/Observations", "$filter=result gt 9007199254740992&$orderby=phenomenonTime desc&$top=1"),
    ("/Observations", "$filter=id eq {o5} or id eq {x3}"), ("/Observations", "$filter=result eq null"),
    ("/Observations", "$filter=result ne null&$orderby=id desc&$top=3"), ("/Observations", "$filter=validTime ne null"),
]  # fmt: skip


def asked_of(town: Town) -> list[tuple[str, str]]:
    queries = [(f"/{kind}", filled(town, query)) for kind, query, _ in FOUND]
    return [*queries, *((filled(town, path), filled(town, query)) for path, query in PATHS)]


def observe(town: Town, name: str, stream: str, at: str, result: Any, **more: Any) -> None:
    link = {"@iot.id": town.ids[stream]}
    town.make(name, "Observations", {"phenomenonTime": at, "result": result, "Datastream": link, **more})


@pytest.fixture
def week(town: Town) -> Town:
    """The town with more days: results of all kinds, some at one time, about another feature, one moved to another day."""
    point = {"type": "Point", "coordinates": [120.15, 30.25]}
    town.make(
        "f1",
        "FeaturesOfInterest",
        {"name": "bridge", "description": "", "encodingType": "application/geo+json", "feature": point},
    )
    kinds = ["closed", 90071992547409931, {"door": {"no": 4}}, '门 "\\', [1, 2], False]
    for number in range(18):
        at = datetime(2026, 11, 14, 6, tzinfo=UTC) + timedelta(hours=8 * number)
        about = {"FeatureOfInterest": {"@iot.id": town.ids["f1"]}} if number % 5 == 0 else {}
        observe(town, f"x{number}", "d1", at.isoformat(), number % 7 - 2.5, **about)
        if number % 3 == 0:
            observe(town, f"y{number}", "d2", f"{at.isoformat()}/{(at + timedelta(hours=20)).isoformat()}", number)
            observe(town, f"z{number}", "d3", at.isoformat(), kinds[number // 3], resultTime=at.isoformat())
    for number in range(3):
        observe(town, f"w{number}", "d1", "2026-11-16T00:00:00Z", number)
    write.patch(town.who, "Observations", town.ids["x2"], {"phenomenonTime": "2026-11-18T03:00:00Z"})
    return town


def seal_before(day: int) -> None:
    days = [each for each in Day.objects.filter(hot=True).values_list("day", flat=True) if each < date(2026, 11, day)]
    assert len(seal(days, now=NOW)) == len(days) > 0


def disturb(town: Town) -> None:
    """Late rows, changes and deletions in sealed days."""
    observe(town, "late1", "d1", "2026-11-15T05:00:00Z", 77)
    observe(town, "late2", "d2", "2026-11-17T05:00:00Z", 6)
    write.delete(town.who, "Observations", town.ids["x4"])
    write.patch(town.who, "Observations", town.ids["x5"], {"result": 5})
    write.patch(town.who, "Observations", town.ids["y3"], {"phenomenonTime": "2026-11-14T03:00:00Z"})


def test_every_query_finds_the_same_in_sealed_days(week: Town) -> None:
    asked = asked_of(week)
    before = answers(week, asked)
    assert sum(text.startswith("{") for text in before.values()) > 150
    seal_all()
    after = answers(week, asked)
    wrong = [
        f"{name}\n   {after[name]}\n   instead of {before[name]}" for name in before if before[name] != after[name]
    ]
    assert not wrong, "\n".join(wrong)


def test_every_query_finds_the_same_in_an_object_store(week: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are read by Arrow; here they are, though they stand in a folder."""
    seal_before(19)
    monkeypatch.setattr(local, "folder", lambda uri: None)
    same(week, asked_of(week)[1::3])


def test_every_query_finds_the_same_in_days_that_were_opened_again(week: Town) -> None:
    seal_before(19)
    disturb(week)
    assert Day.objects.filter(hot=True, cold=True).count() == 3
    asked = asked_of(week)
    same(week, asked)
    seal_all()
    same(week, asked[::3])


CONDITIONS = [
    "phenomenonTime ge 2026-11-16T00:00:00Z", "phenomenonTime lt 2026-11-18T00:00:00Z", "phenomenonTime eq 2026-11-16T00:00:00Z",
    "phenomenonTime gt 2026-11-15T14:00:00Z/2026-11-16T02:00:00Z", "2026-11-17T00:00:00Z le phenomenonTime",
    "phenomenonTime ge '2026-11-17T22:00:00Z'", "result gt 2", "result le 5", "result eq 77",
    "result ne 5", "result eq 'closed'", "result eq null", "resultTime ne null", "resultTime lt 2026-11-17T00:00:00Z",
    "phenomenonTime le now() sub duration'P3D'", "during(phenomenonTime,2026-11-15T00:00:00Z/2026-11-18T00:00:00Z)",
    "overlaps(phenomenonTime,2026-11-16T03:00:00Z/2026-11-16T05:00:00Z)", "before(phenomenonTime,2026-11-17T00:00:00Z)",
    "after(phenomenonTime,2026-11-16T23:00:00Z)", "hour(phenomenonTime) lt 12", "result add 1 gt 4", "id gt {x7}", "id eq {x2}",
    "id in ({x1},{late1},{o1})", "Datastream/id eq {d1}", "Datastream/name eq 'stream d2'", "Datastream/Thing/id eq {t1}",
    "FeatureOfInterest/name eq 'bridge'", "Datastream/Observations/result eq 6", "Datastream/id ne {d1}",
    "result gt 9007199254740992",
    "(phenomenonTime ge 2026-11-17T00:00:00Z) eq true", "date(phenomenonTime) eq 2026-11-17", "phenomenonTime ne null",
]  # fmt: skip
ORDERS = ["", "", "phenomenonTime", "phenomenonTime desc", "id desc", "result", "result desc,id", "phenomenonTime desc,id desc",
          "resultTime", "Datastream/id desc,phenomenonTime"]  # fmt: skip
PLACES = ["/Observations", "/Observations", "/Datastreams({d1})/Observations", "/Datastreams({d1})/Observations",
          "/Datastreams({d3})/Observations", "/FeaturesOfInterest({f1})/Observations"]  # fmt: skip


def conditions() -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(CONDITIONS),
        lambda inner: st.one_of(
            st.builds("({} and {})".format, inner, inner),
            st.builds("({} or {})".format, inner, inner),
            st.builds("not ({})".format, inner),
        ),
        max_leaves=4,
    )


@st.composite
def options(draw: st.DrawFn, separator: str = "&") -> str:
    """Options of a set of Observations."""
    found = []
    if draw(st.booleans()):
        found.append(f"$filter={draw(conditions())}")
    if order := draw(st.sampled_from(ORDERS)):
        found.append(f"$orderby={order}")
    if draw(st.integers(0, 3)):
        found.append(f"$top={draw(st.integers(0, 6))}")
    if draw(st.integers(0, 3)) == 0:
        found.append(f"$skip={draw(st.integers(0, 9))}")
    if draw(st.integers(0, 2)) == 0:
        found.append("$count=true")
    return separator.join(found)


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, str]:
    """An address and a query about Observations, straight or by way of others."""
    if draw(st.booleans()):
        more = draw(
            st.sampled_from(["", "", "&$resultFormat=dataArray", "&$expand=Datastream($expand=Observations($top=1))"])
        )
        return draw(st.sampled_from(PLACES)), draw(options()) + more
    kind = draw(st.sampled_from(["Things", "Datastreams", "Datastreams", "FeaturesOfInterest"]))
    link = "Datastreams/Observations" if kind == "Things" else "Observations"
    inner = draw(options(separator=";"))
    query = f"$expand={link}({inner})" if inner else f"$expand={link}"
    if draw(st.integers(0, 2)) == 0:
        condition = draw(
            st.sampled_from(
                ["result gt 20", "result eq 77", "phenomenonTime lt 2026-11-15T00:00:00Z", "result eq 'closed'"]
            )
        )
        sign = draw(st.sampled_from(["", "not "]))
        query += f"&$filter={sign}({link}/{condition})"
    if draw(st.integers(0, 3)) == 0:
        query += f"&$orderby={link}/phenomenonTime desc"
    return f"/{kind}", query


def test_whatever_is_asked_finds_the_same(week: Town) -> None:
    seal_before(19)
    disturb(week)

    @settings(
        max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], derandomize=True
    )  # fmt: skip
    @given(st.lists(questions(), min_size=30, max_size=30))
    def check(asked: list[tuple[str, str]]) -> None:
        same(week, [(filled(week, path), filled(week, query)) for path, query in asked])

    check()


def follow(town: Town, path: str, query: str) -> list[int]:
    """The ids of all pages, by their links."""
    found: list[int] = []
    while True:
        page = town.get(path, query)
        found += [row["@iot.id"] for row in page["value"]]
        if "@iot.nextLink" not in page:
            return found
        path, _mark, query = page["@iot.nextLink"].removeprefix(BASE).partition("?")
        query = unquote_plus(query)


@pytest.mark.parametrize("order", ["", "&$orderby=phenomenonTime desc"])
def test_pages_lead_over_the_seam_and_show_each_observation_once(week: Town, order: str) -> None:
    path = filled(week, "/Datastreams({d1})/Observations")
    seal_before(19)
    disturb(week)
    once = [row["@iot.id"] for row in week.get(path, f"$top=1000{order}")["value"]]
    assert len(once) == len(set(once)) == 25
    assert follow(week, path, f"$top=2{order}") == once
    first = week.get(path, f"$top=9{order}")
    seal_all()  # between two pages
    rest, _mark, query = first["@iot.nextLink"].removeprefix(BASE).partition("?")
    following = follow(week, rest, unquote_plus(query))
    assert [row["@iot.id"] for row in first["value"]] + following == once
    of_all = [row["@iot.id"] for row in week.get("/Observations", "$top=1000")["value"]]
    assert follow(week, "/Observations", "$top=7") == of_all == sorted(of_all)


def test_nobody_sees_more_of_sealed_days_than_of_hot_ones(week: Town, who: Who) -> None:
    seal_before(19)
    xihu = Division.objects.get(city=week.who.city, code="330106", valid_to=None)
    everybody, handler = week.who, who("handler")
    for week.who in (replace(everybody, division=xihu.pk), handler, replace(everybody, city=everybody.city + 1000)):
        same(week, asked_of(week)[::4])
    assert week.get("/Observations")["value"] == []
    week.who = handler
    with pytest.raises(NotFound):
        week.get(filled(week, "/Observations({o1})"))
    Thing.objects.filter(pk=week.ids["t2"]).update(duty=handler.department)
    assert week.get("/Observations/$count") == 8
    assert {row["Datastream"]["@iot.id"] for row in week.get("/Observations", "$expand=Datastream")["value"]} == {
        week.ids["d2"]
    }


def test_what_is_written_into_sealed_days_is_read_at_once(week: Town) -> None:
    seal_all()
    one = filled(week, "/Observations({x5})")
    write.patch(week.who, "Observations", week.ids["x5"], {"result": 42})
    assert week.get(one)["result"] == 42 and week.get("/Observations/$count", "$filter=result eq 42") == 1
    write.delete(week.who, "Observations", week.ids["x5"])
    with pytest.raises(NotFound):
        week.get(one)
    assert week.get("/Observations/$count", filled(week, "$filter=id eq {x5}")) == 0
    about = {row["@iot.id"] for row in week.get(filled(week, "/FeaturesOfInterest({f1})/Observations"))["value"]}
    write.delete(week.who, "FeaturesOfInterest", week.ids["f1"])
    assert len(about) == 3 and about.isdisjoint(
        row["@iot.id"] for row in week.get("/Observations", "$top=1000")["value"]
    )
    write.delete(week.who, "Datastreams", week.ids["d2"])
    gone = {week.ids[name] for name in ("y0", "y3", "o5")}
    assert not gone & {row["@iot.id"] for row in week.get("/Observations", "$top=1000")["value"]}
    left = week.get("/Observations/$count")
    assert left == len(week.get("/Observations", "$top=1000")["value"]) > 20


def test_a_datastream_tells_its_times_anew_when_sealed_observations_change(week: Town) -> None:
    seal_before(20)

    def agree() -> None:
        for name in ("d1", "d2", "d3"):
            told = week.get(filled(week, f"/Datastreams({{{name}}})"))
            rows = week.get(filled(week, f"/Datastreams({{{name}}})/Observations"), "$top=1000")["value"]
            times = [row["phenomenonTime"].split("/") for row in rows]
            first, last = min(each[0] for each in times), max(each[-1] for each in times)
            assert told["phenomenonTime"] == f"{first}/{last}"
            said = [row["resultTime"] for row in rows if row["resultTime"]]
            assert told.get("resultTime") == (f"{min(said)}/{max(said)}" if said else None)
            latest = max(rows, key=lambda row: (row["phenomenonTime"].split("/")[0], row["@iot.id"]))
            assert Datastream.objects.get(pk=week.ids[name]).last_id == latest["@iot.id"]

    agree()
    write.patch(week.who, "Observations", week.ids["x9"], {"phenomenonTime": "2026-11-13T01:00:00Z"})
    agree()
    write.delete(week.who, "Observations", week.ids["x9"])
    agree()
    for name in ("x0", "z0", "z15", "y15", "o4", "o3", "o9", "o7"):
        write.delete(week.who, "Observations", week.ids[name])
        agree()
    write.delete(week.who, "FeaturesOfInterest", week.ids["f1"])
    agree()


def test_what_rests_on_too_many_sealed_observations_is_refused(week: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    seal_all()
    monkeypatch.setattr(sealed, "MOST", 10)
    monkeypatch.setattr(asking, "MOST", 10)
    with pytest.raises(BadQuery, match="Narrow it by Datastream or phenomenonTime"):
        week.get("/Observations", "$orderby=result")
    assert (
        len(week.get("/Observations", "$orderby=result&$filter=phenomenonTime lt 2026-11-15T00:00:00Z")["value"]) == 3
    )
    assert len(week.get("/Observations", "$orderby=phenomenonTime desc&$top=3&$count=true")["value"]) == 3
    assert week.get("/Observations/$count") == 42


def test_only_days_that_matter_are_read(week: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    seal_before(20)
    looked: list[list[int]] = []
    look = sealed.Sealed._look

    def watched(lake: sealed.Sealed, days: Any, streams: Any) -> bool:
        looked.append(sorted(day.day for day in days))
        return look(lake, days, streams)

    monkeypatch.setattr(sealed.Sealed, "_look", watched)

    def read_for(path: str, query: str = "") -> list[list[int]]:
        looked.clear()
        week.get(filled(week, path), filled(week, query))
        return [days for days in looked if days]

    assert read_for("/Datastreams({d1})/Observations", "$orderby=phenomenonTime desc&$top=2") == []
    assert read_for("/Datastreams", "$expand=Observations($orderby=phenomenonTime desc;$top=1)") == []
    assert read_for("/Datastreams({d1})/Observations", "$orderby=phenomenonTime desc&$top=3") == [[19]]
    assert read_for("/Datastreams({d1})/Observations", "$top=1") == [[14]]
    assert read_for("/Observations({o6})") == [] and read_for("/Observations({x2})") == [[18]]
    between = "$filter=phenomenonTime ge 2026-11-16T00:00:00Z and phenomenonTime lt 2026-11-17T01:00:00Z"
    assert sorted(day for days in read_for("/Observations", between) for day in days) == [16, 17]
    assert read_for("/Observations", "$filter=id eq {x7}") == [[16]]
    assert read_for("/Things") == read_for("/Datastreams", "$filter=name eq 'x'") == []


def test_where_no_day_is_sealed_one_question_more_is_asked(town: Town, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(9) as asked:
        town.get(filled(town, "/Datastreams({d1})/Observations"), "$top=2")
    assert sum("sensing_day" in each["sql"] for each in asked.captured_queries) == 1
    with django_assert_max_num_queries(9) as asked:
        town.get("/Things", "$expand=Datastreams")
    assert not any("sensing_day" in each["sql"] for each in asked.captured_queries)
