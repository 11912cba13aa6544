"""Loading into a city that lives: cases that come in the way at the last moment, sources of limits, packs that went wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from chengshu import cli
from chengshu.cases.models import CaseType
from chengshu.cases.records import NewReport
from chengshu.cases.report import report
from chengshu.core.errors import Conflict, Mistakes
from chengshu.packs import export
from chengshu.packs.apply import apply, load_city
from chengshu.packs.plan import make_plan
from chengshu.packs.read import read_pack
from chengshu.parties.access import principal_of
from chengshu.parties.models import Account
from chengshu.places.models import City
from tests.packs.small import change, write_pack

pytestmark = pytest.mark.django_db


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHENGSHU_DEMO_PASSWORD", "toys for everybody")
    return write_pack(tmp_path)


def _load(pack: Path) -> None:
    load_city(str(pack), yes=True, echo=lambda _line: None)


def test_a_case_that_came_after_the_plan_stops_it(pack: Path) -> None:
    _load(pack)
    change(pack, "moves.yaml", "handling: {label: 处置", "working: {label: 处置")
    change(pack, "moves.yaml", "to: handling", "to: working")
    change(pack, "moves.yaml", "from: [handling]", "from: [working]")
    change(pack, "moves.yaml", "      reported: {label: 上报", "      arrived: {label: 上报")
    change(pack, "moves.yaml", "open: reported\n", "open: arrived\n")
    change(pack, "moves.yaml", "from: [reported]", "from: [arrived]")
    new = read_pack(pack)
    plan = make_plan(new)
    assert not plan.obstacles
    by = principal_of(Account.objects.get(username="toy-leader"))
    dark = NewReport(
        origin="test", origin_key="1", title="dark", type="lamp", division="T1", occurred_at=datetime.now(UTC)
    )
    report([dark], city=by.city, actor=by)
    with pytest.raises(Conflict, match="reported"):
        apply(new, plan)
    assert City.objects.get(name="toytown").version == plan.version


def test_the_source_of_a_limit_goes_in_and_comes_out(pack: Path) -> None:
    text = "type,stage,valid_from,limit,source\nlamp,handle,,2d,old law\nlamp,handle,2020-01-01,1d,new law\n"
    (pack / "limits.csv").write_text(text)
    _load(pack)
    first, second = CaseType.objects.get(city__name="toytown", code="lamp").dated_limits
    assert (first["sources"], second["sources"]) == ({"handle": "old law"}, {"handle": "new law"})
    assert export.pack_files("toytown")["limits.csv"].decode() == text
    change(pack, "limits.csv", "2d,old law", "3d,older law")
    told = list(make_plan(read_pack(pack)).lines())
    assert any("dated_limits.–.limits.handle: 2d → 3d" in line for line in told), told


def test_a_mistake_in_a_changed_pack_does_not_keep_its_city_from_starting(
    pack: Path,
) -> None:
    change(pack, "city.yaml", "Asia/Shanghai", "Asia/Nowhere")
    with pytest.raises(Mistakes):
        cli.load_packs([str(pack)])
    change(pack, "city.yaml", "Asia/Nowhere", "Asia/Shanghai")
    cli.load_packs([str(pack)])
    change(pack, "city.yaml", "Asia/Shanghai", "Asia/Nowhere")
    cli.load_packs([str(pack)])
    assert City.objects.get(name="toytown").timezone == "Asia/Shanghai"
