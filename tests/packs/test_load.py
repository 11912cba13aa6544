"""Planning and loading: nothing is lost, nothing is done twice, edited parts are kept."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import override_settings

from chengshu.cases.models import Case, CaseType, Kind, Move, State
from chengshu.cases.outbox import drain
from chengshu.core.errors import Conflict
from chengshu.packs import demo
from chengshu.packs.apply import apply, load_city
from chengshu.packs.living import today_in
from chengshu.packs.plan import Action, Plan, make_plan
from chengshu.packs.read import read_pack
from chengshu.parties.models import Account, Department, Notice, Post
from chengshu.places.models import Boundary, BoundaryCell, City, Division, DivisionChange, Part
from tests.packs.small import FILES, change, write_pack

pytestmark = pytest.mark.django_db

Load = Callable[..., Plan]


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHENGSHU_DEMO_PASSWORD", "toys for everybody")


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path)


@pytest.fixture
def load(pack: Path) -> Load:
    """Load the small pack; `said` of the function holds what was told."""
    return lambda **options: load_city(str(pack), echo=lambda _line: None, **options)


@pytest.fixture
def city(load: Load) -> City:
    load()
    return City.objects.get(name="toytown")


def _changes(plan: Plan) -> set[str]:
    return {f"{c.table} {c.action} {c.key}" for c in plan.changes}


def _division(key: str) -> Division:
    code, _, day = key.partition("@")
    return Division.objects.get(city__name="toytown", code=code, **({"valid_from": day} if day else {}))


def test_a_first_load_writes_everything(city: City) -> None:
    assert city.version == 1
    assert city.about["synthetic"] == ["Everything in it is made up."]
    root = _division("T")
    street = _division("T1-1")
    assert street.path == [root.pk, _division("T1").pk, street.pk]
    assert street.parent_id == street.path[1]
    assert DivisionChange.objects.filter(successor=_division("T5")).count() == 2
    assert Boundary.objects.filter(division__city=city).count() == 5
    assert BoundaryCell.objects.filter(boundary__division=root, whole=True).exists()
    assert Department.objects.get(city=city, code="ROADS").parent == Department.objects.get(city=city, code="CENTRE")
    assert State.objects.get(kind__city=city, code="new").phase == "new"
    assert "total" in Kind.objects.get(city=city).opening_clocks
    assert CaseType.objects.get(city=city, code="hole").limits == {"accept": "1h", "handle": "2wd", "total": "5wd"}
    assert set(Part.objects.filter(city=city).values_list("name", "version", "by", "active")) == {
        (name, 1, "pack", True) for name in ("dispatch", "escalation", "calendar", "parameters")
    }


def test_every_kind_has_the_opening_move(city: City) -> None:
    move = Move.objects.get(kind__city=city, code="open")
    assert (move.from_state.code, move.to_state.code, move.active) == ("new", "reported", True)
    assert {"citizen", "system"} <= set(move.roles)


def test_a_second_load_does_nothing_and_says_so(city: City, pack: Path) -> None:
    said: list[str] = []
    plan = load_city(str(pack), echo=said.append)
    assert plan.same
    assert not plan.applied
    assert said == ["toytown is loaded already, and its pack has not changed."]
    city.refresh_from_db()
    assert city.version == 1


def test_what_was_loaded_equals_the_pack(city: City, pack: Path) -> None:
    assert make_plan(read_pack(pack)).changes == ()


def test_a_comment_changes_the_digest_but_not_the_city(city: City, pack: Path, load: Load) -> None:
    (pack / "moves.yaml").write_text("# a word\n" + FILES["moves.yaml"])
    assert not load(yes=True).writes
    assert load().same
    city.refresh_from_db()
    assert city.version == 1


def test_a_living_city_is_changed_only_with_consent(city: City, pack: Path, load: Load) -> None:
    change(pack, "departments.csv", "Roads", "Highways")
    assert not load().applied
    assert not load(plan_only=True, yes=True).applied
    assert Department.objects.filter(city=city, name="Roads").exists()
    asked: list[Plan] = []
    assert load(ask=lambda plan: not asked.append(plan)).applied
    assert [str(c) for c in asked[0].changes] == ["~ ROADS (name: Roads → Highways)"]
    city.refresh_from_db()
    assert city.version == 2


def test_nothing_that_cases_refer_to_is_deleted(city: City, pack: Path, load: Load) -> None:
    types, moves = (set(model.objects.values_list("pk", flat=True)) for model in (CaseType, Move))
    change(pack, "case_types.csv", "lamp,works", "light,works")
    (pack / "limits.csv").unlink()
    change(pack, "dispatch.yaml", "type: [lamp]", "type: [light]")
    change(pack, "moves.yaml", "code: note", "code: remark")
    plan = load(yes=True)
    assert {"types add light", "types retire lamp"} <= _changes(plan)
    assert not CaseType.objects.get(city=city, code="lamp").active
    assert set(Move.objects.filter(kind__city=city, code="note").values_list("active", flat=True)) == {False}
    assert types <= set(CaseType.objects.values_list("pk", flat=True))
    assert moves <= set(Move.objects.values_list("pk", flat=True))


def test_a_move_with_another_end_is_another_move(city: City, pack: Path, load: Load) -> None:
    before = Move.objects.get(kind__city=city, code="take")
    text = "from: [reported]\n        to: handling"
    change(pack, "moves.yaml", text, text.replace("handling", "closed"))
    change(pack, "moves.yaml", "from: open\n", "from: [reported, handling]\n")
    change(pack, "moves.yaml", "to: same", "to: handling")
    plan = load(yes=True)
    assert {"moves retire works/take: reported→handling", "moves add works/take: reported→closed"} <= _changes(plan)
    before.refresh_from_db()
    assert not before.active
    (pack / "moves.yaml").write_text(FILES["moves.yaml"], encoding="utf-8")
    assert "moves change works/take: reported→handling" in _changes(load(yes=True))
    before.refresh_from_db()
    assert before.active
    assert make_plan(read_pack(pack)).changes == ()


def test_a_move_with_other_roles_stays_the_same_move(city: City, pack: Path, load: Load) -> None:
    change(pack, "moves.yaml", "roles: [handler]", "roles: [handler, grid_worker]")
    plan = load(yes=True)
    assert [str(c) for c in plan.changes] == ["~ works/take: reported→handling (roles: handler → handler, grid_worker)"]
    assert Move.objects.get(kind__city=city, code="take").roles == ["handler", "grid_worker"]


def test_a_division_that_is_gone_ends_today(city: City, pack: Path, load: Load) -> None:
    change(pack, "divisions.csv", "T1-1,West Street,,street,T1,2000-01-01,,made up\n", "")
    assert "divisions retire T1-1@2000-01-01" in _changes(load(yes=True))
    street = _division("T1-1")
    assert street.valid_to == today_in("Asia/Shanghai")
    assert make_plan(read_pack(pack)).changes == ()


def test_a_reform_ends_the_old_division_where_the_new_begins(city: City, pack: Path, load: Load) -> None:
    old = _division("T1")
    change(pack, "divisions.csv", "T1,West,,district,T,2000-01-01,,", "T1,West,,district,T,2000-01-01,2024-01-01,")
    change(
        pack,
        "divisions.csv",
        "T1-1,West Street,,street,T1,2000-01-01,",
        "T1-1,West Street,,street,T1,2000-01-01,2024-01-01",
    )
    with (pack / "divisions.csv").open("a") as file:
        file.write("T1,New West,,district,T,2024-01-01,,made up\nT1-1,West Street,,street,T1,2024-01-01,,made up\n")
    load(yes=True)
    old.refresh_from_db()
    assert old.valid_to == date(2024, 1, 1)
    new = _division("T1-1@2024-01-01")
    assert new.path == [_division("T").pk, _division("T1@2024-01-01").pk, new.pk]


def test_a_corrected_first_day_keeps_the_division(city: City, pack: Path, load: Load) -> None:
    before = _division("T5").pk
    change(pack, "divisions.csv", "T5,New East,,district,T,2020-01-01", "T5,New East,,district,T,2019-12-31")
    plan = load(yes=True)
    assert _changes(plan) == {"divisions change T5@2019-12-31"}
    assert (_division("T5").pk, _division("T5").valid_from) == (before, date(2019, 12, 31))


def test_another_parent_moves_all_below(city: City, pack: Path, load: Load) -> None:
    with (pack / "divisions.csv").open("a") as file:
        file.write("T1-1-1,Corner,,community,T1-1,2000-01-01,,made up\n")
    load(yes=True)
    change(pack, "divisions.csv", "T1-1,West Street,,street,T1,", "T1-1,West Street,,street,T,")
    load(yes=True)
    root, street, corner = _division("T").pk, _division("T1-1").pk, _division("T1-1-1").pk
    assert _division("T1-1-1").path == [root, street, corner]


def test_an_outline_is_replaced_with_its_cells(city: City, pack: Path, load: Load) -> None:
    cells = BoundaryCell.objects.filter(boundary__division=_division("T4"))
    before = cells.count()
    text = (pack / "boundaries.geojson").read_text()
    (pack / "boundaries.geojson").write_text(
        text.replace("10.4, 50.1", "10.5, 50.1").replace("10.4, 50.0", "10.5, 50.0")
    )
    assert {"boundaries change T4@2000-01-01", "boundaries change T@2000-01-01"} == _changes(load(yes=True))
    assert cells.count() > before
    (pack / "boundaries.geojson").unlink()
    load(yes=True)
    assert not Boundary.objects.filter(division__city=city).exists()


def _edit_dispatch(city: City) -> Part:
    """As the rule editor does it."""
    part = Part.objects.get(city=city, name="dispatch", active=True)
    Part.objects.filter(pk=part.pk).update(active=False)
    value = {"rules": [{**part.value["rules"][0], "unit": "CENTRE"}, *part.value["rules"][1:]]}
    return Part.objects.create(
        city=city, name="dispatch", version=2, value=value, by="toy-leader", why="better", at=datetime.now(UTC)
    )


def test_a_part_edited_in_the_city_is_kept(city: City, pack: Path, load: Load) -> None:
    edited = _edit_dispatch(city)
    change(pack, "dispatch.yaml", "lamps in the west", "lamps of the west")
    change(pack, "escalation.yaml", "warn_share: 0.8", "warn_share: 0.9")
    plan = load(yes=True)
    assert _changes(plan) == {"parts keep dispatch", "parts change escalation"}
    kept = plan.of("parts", Action.KEEP)[0]
    assert {f.name for f in kept.fields} == {"rules.lamps.unit", "rules.lamps.because"}
    assert "edited by toy-leader" in kept.note
    assert "the pack has changed since" in kept.note
    assert Part.objects.get(city=city, name="dispatch", active=True) == edited
    assert Part.objects.get(city=city, name="escalation", active=True).version == 2


def test_an_edited_part_is_overwritten_on_request(city: City, load: Load) -> None:
    _edit_dispatch(city)
    assert _changes(load(yes=True, overwrite_edited=True)) == {"parts change dispatch"}
    part = Part.objects.get(city=city, name="dispatch", active=True)
    assert (part.version, part.by, part.value["rules"][0]["unit"]) == (3, "pack", "ROADS")
    assert Part.objects.filter(city=city, name="dispatch").count() == 3


def test_demo_accounts_get_the_known_password_once(city: City, pack: Path, load: Load) -> None:
    account = Account.objects.get(username="toy-leader")
    assert account.demo
    assert account.check_password("toys for everybody")
    assert ("toy-leader", "toys for everybody") in [row[:2] for row in demo.accounts()]
    account.set_password("my very own phrase")
    account.name = "Changed"
    account.save()
    change(pack, "posts.yaml", "name: Toy Leader", "name: Toy Chief")
    load(yes=True)
    account.refresh_from_db()
    assert account.check_password("my very own phrase")
    assert account.name == "Changed"
    assert ("toy-leader", "(another)") in [row[:2] for row in demo.accounts()]


def test_a_random_demo_password_is_kept_to_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHENGSHU_DEMO_PASSWORD")
    with override_settings(HOME=tmp_path / "home"):
        first = demo.password()
        assert len(first) >= 12
        assert demo.password() == first
    assert stat.S_IMODE((tmp_path / "home" / "demo_password").stat().st_mode) == 0o600


def test_posts_follow_the_pack_but_real_people_are_left_alone(pack: Path, load: Load) -> None:
    real = Account.objects.create(username="toy-leader", name="A real person")
    plan = load(yes=True)
    assert not Post.objects.filter(account=real).exists()
    assert any("toy-leader is a real one" in note for note in plan.notes)


def test_a_post_that_is_gone_ends_and_may_come_back(city: City, pack: Path, load: Load) -> None:
    change(pack, "posts.yaml", "  - {role: handler, department: ROADS, division: T1, account: toy-leader}\n", "")
    load(yes=True)
    post = Post.objects.get(account__username="toy-leader", role="handler")
    assert post.valid_to == today_in("Asia/Shanghai")
    (pack / "posts.yaml").write_text(FILES["posts.yaml"])
    load(yes=True)
    post.refresh_from_db()
    assert post.valid_to is None


def test_a_kind_that_is_gone_opens_no_more_cases_but_ends_those_it_has(city: City, pack: Path, load: Load) -> None:
    change(pack, "moves.yaml", "  works:", "  labour:")
    text = (pack / "case_types.csv").read_text().replace(",works,", ",labour,")
    (pack / "case_types.csv").write_text(text)
    load(yes=True)
    assert set(Move.objects.filter(kind__code="works", active=False).values_list("code", flat=True)) == {"open"}


def test_a_plan_is_not_applied_to_a_city_that_changed_meanwhile(city: City, pack: Path) -> None:
    change(pack, "departments.csv", "Roads", "Highways")
    read = read_pack(pack)
    plan = make_plan(read)
    City.objects.filter(pk=city.pk).update(version=7)
    with pytest.raises(Conflict, match="changed while you looked"):
        apply(read, plan)


def test_the_plan_is_told_in_words(city: City, pack: Path, load: Load) -> None:
    change(pack, "departments.csv", "Roads", "Highways")
    change(pack, "parameters.yaml", "2000-01-01: 15", "2000-01-01: 15, 2026-01-01: 30")
    assert list(load(plan_only=True).lines())[:4] == [
        "Departments: 1 changed",
        "  ~ ROADS (name: Roads → Highways)",
        "Parts: 1 changed",
        "  ~ parameters (reopen_window_days.values.2026-01-01: – → 30)",
    ]


def test_a_calendar_without_this_year_is_noted(load: Load) -> None:
    assert any("knows no holidays of" in note for note in load(plan_only=True).notes)


def _case(city: City, state: str) -> Case:
    now, root = datetime.now(UTC), _division("T")
    found = State.objects.get(kind__city=city, code=state)
    fields = {
        "number": "TOY-1",
        "title": "a hole",
        "severity": 3,
        "source": "citizen",
        "opened_at": now,
        "moved_at": now,
    }
    return Case.objects.create(id=uuid4(), kind=found.kind, state=found, division=root, places=[root.pk], **fields)


def test_an_obstacle_stops_the_load(city: City, pack: Path, load: Load) -> None:
    case = _case(city, "handling")
    change(pack, "moves.yaml", "      handling: {", "      working: {")
    for old in ("to: handling", "from: [handling]"):
        change(pack, "moves.yaml", old, old.replace("handling", "working"))
    with pytest.raises(Conflict, match=r"1 open case\(s\) stand in the state works/handling"):
        load(yes=True)
    city.refresh_from_db()
    assert city.version == 1
    Case.objects.filter(pk=case.pk).update(closed_at=datetime.now(UTC))
    assert load(yes=True).applied


def test_open_cases_of_a_retired_unit_are_counted_and_their_dispatchers_told(
    city: City, pack: Path, load: Load
) -> None:
    case = _case(city, "handling")
    Case.objects.filter(pk=case.pk).update(unit=Department.objects.get(city=city, code="ROADS"), number="TOY-0")
    ended = _case(city, "closed")
    Case.objects.filter(pk=ended.pk).update(
        unit=Department.objects.get(city=city, code="ROADS"), closed_at=datetime.now(UTC)
    )
    root = Division.objects.get(city=city, code="T")
    dispatcher = Account.objects.create(username="toy-dispatcher", name="D")
    Post.objects.create(account=dispatcher, role="dispatcher", division=root)
    text = (pack / "departments.csv").read_text()
    (pack / "departments.csv").write_text(
        "".join(line for line in text.splitlines(True) if not line.startswith("ROADS"))
    )
    for name in ("dispatch.yaml", "posts.yaml"):
        (pack / name).write_text((pack / name).read_text().replace("ROADS", "CENTRE"))
    said: list[str] = []
    load_city(str(pack), yes=True, echo=said.append)
    assert any(line.startswith("! 1 open case(s) are with ROADS") and "/desk?unit=ROADS" in line for line in said)
    assert drain()
    assert list(Notice.objects.values_list("account", "kind", "case")) == [(dispatcher.pk, "orphaned", case.pk)]


def test_a_state_with_cases_keeps_its_phase(city: City, pack: Path, load: Load) -> None:
    _case(city, "closed")
    change(pack, "moves.yaml", "phase: done", "phase: dead")
    change(
        pack, "moves.yaml", "    open: reported", "      over: {label: x, label_en: x, phase: done}\n    open: reported"
    )
    text = "from: [handling]\n        to: closed"
    change(pack, "moves.yaml", "from: open", "from: [closed]")
    change(pack, "moves.yaml", "to: same", "to: over")
    assert text in (pack / "moves.yaml").read_text()
    with pytest.raises(Conflict, match="whose phase the pack changes"):
        load(yes=True)
