"""The life of a case as a drawing: every move that changes a state is in it, once for each pair of ends, and is a link."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from chengshu.web.admin.diagram import Arrow, Box, draw

SVG = "{http://www.w3.org/2000/svg}"
PHASES = st.sampled_from(["open", "done", "dead"])


@st.composite
def lives(draw_: st.DrawFn) -> tuple[list[Box], list[Arrow]]:
    count = draw_(st.integers(2, 14))
    boxes = [Box(code=f"s{i}", label=f"状态{i}", phase="open" if not i else draw_(PHASES)) for i in range(count)]
    pairs = draw_(st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30))
    arrows = [
        Arrow(start=f"s{a}", end=f"s{b}", moves=[(f"#move-{a}-{b}", f"<{a}→{b}>", "who & why")])
        for a, b in sorted(pairs)
    ]
    return boxes, arrows


@given(lives())
def test_every_move_out_of_a_living_state_is_drawn_and_nothing_leaves_the_paper(
    life: tuple[list[Box], list[Arrow]],
) -> None:
    boxes, arrows = life
    root = ET.fromstring(str(draw(boxes, arrows, title='a "life"')).replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))
    dead = {box.code for box in boxes if box.phase == "dead"}
    wanted = sorted(a.moves[0][0] for a in arrows if a.start != a.end and a.start not in dead)
    assert sorted(a.get("href", "") for a in root.iter(f"{SVG}a") if a.get("class") == "move") == wanted
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for rect in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(rect.get(name, -1)) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= width - w
        assert 0 <= y <= height - h


@given(lives())
def test_boxes_do_not_lie_on_each_other(life: tuple[list[Box], list[Arrow]]) -> None:
    root = ET.fromstring(str(draw(*life, title="x")).replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))
    spots = [(float(r.get("x", 0)), float(r.get("y", 0)), float(r.get("height", 0))) for r in root.iter(f"{SVG}rect")]
    for i, (x, y, h) in enumerate(spots):
        assert not any(x == x2 and y < y2 + h2 and y2 < y + h for x2, y2, h2 in spots[i + 1 :])
