"""Charts hold whatever they are given: well-formed, inside their frame, without styles, one link for each point."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from chengshu.web.charts import HEIGHT, WIDTH, Band, Cell, Point, Words, heat, line, spark

WORDS = Words(title="上报 <&>", now="本期", before="上期", band="预测", table="表格", date="日期")
texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12)
values = st.one_of(st.none(), st.floats(0, 1e7), st.integers(0, 10**6))
points = st.builds(Point, label=texts, value=values, title=texts, href=st.just("/cockpit/cases?a=1&b=2"))


@st.composite
def bands(draw: st.DrawFn) -> Band:
    low, middle, high = sorted(draw(st.tuples(*[st.floats(0, 1e6)] * 3)))
    return Band(label="1-1", low=low, middle=middle, high=high, title=draw(texts))


def parsed(markup: Markup) -> ET.Element:
    assert " style=" not in markup
    return ET.fromstring(str(markup))


@given(st.lists(points, max_size=40), st.lists(points, max_size=40), st.lists(bands(), max_size=7), st.booleans())
def test_a_line_stays_in_its_frame_and_links_every_point(
    now: list[Point], before: list[Point], ahead: list[Band], percent: bool
) -> None:
    drawn = parsed(line(now, WORDS, before=before, ahead=ahead, percent=percent))
    svg = drawn.find("svg")
    assert svg is not None
    known = [point for point in now if point.value is not None]
    assert len(svg.findall("a")) == len(known) == len(drawn.findall(".//tbody//a"))
    for path in svg.iter("path"):
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path.get("d", "")):
            assert 0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT
    for rect in svg.iter("rect"):
        assert float(rect.get("width", "0")) >= 0


@given(st.lists(points, min_size=1, max_size=10))
def test_every_number_is_told_in_words(now: list[Point]) -> None:
    drawn = parsed(line(now, WORDS))
    told = [title.text or "" for title in drawn.iter("title")]
    assert told == [point.title for point in now if point.value is not None]


@given(st.lists(values, max_size=60), texts)
def test_a_sparkline_is_well_formed(row: list[float | None], title: str) -> None:
    assert parsed(spark(row, title)).get("aria-label") == title


@given(st.lists(st.lists(st.integers(0, 500), min_size=3, max_size=3), min_size=1, max_size=7))
def test_a_heat_table_shows_and_links_every_number(counts: list[list[int]]) -> None:
    rows = [(str(n), [Cell(count=c, href="/x", title=f"{c}") for c in row]) for n, row in enumerate(counts)]
    drawn = parsed(heat(["a", "b", "c"], rows, "when"))
    assert [int(a.text or "") for a in drawn.iter("a")] == [c for row in counts for c in row if c]
    largest = max(c for row in counts for c in row)
    shades = [td.get("class") for td in drawn.iter("td") if td.text is None and len(td)]
    assert not largest or "q4" in shades


def test_words_are_escaped() -> None:
    hostile = '"><script>alert(1)</script>'
    point = Point(label=hostile, value=1, title=hostile, href="/a?b=" + hostile)
    assert "<script" not in line([point, point], WORDS, before=[point, point])
