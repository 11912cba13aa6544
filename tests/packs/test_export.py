"""The living city as a pack: taken out and loaded again it changes nothing, and a zip cannot lead elsewhere."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from chengshu.core.errors import Conflict, Invalid, NotFound
from chengshu.packs import archive, export
from chengshu.packs.apply import load_city
from chengshu.packs.models import Alteration, Revision
from chengshu.packs.plan import make_plan
from chengshu.packs.read import read_pack
from chengshu.places.models import City
from tests.packs.small import change, write_pack


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["hangzhou", "boston"])
def test_a_city_comes_back_as_it_went_out(name: str) -> None:
    load_city(name, yes=True, echo=lambda _line: None)
    with archive.opened(export.pack_zip(name), name) as folder:
        plan = make_plan(read_pack(folder))
    assert list(plan.lines()) == [f"! {note}" for note in plan.notes]


@pytest.mark.django_db
def test_what_was_retired_stays_out_and_what_was_changed_goes_along(tmp_path: Path) -> None:
    pack = write_pack(tmp_path)
    load_city(str(pack), echo=lambda _line: None)
    change(pack, "departments.csv", "Roads", "Highways")
    change(pack, "moves.yaml", "code: note", "code: remark")
    load_city(str(pack), yes=True, echo=lambda _line: None)
    files = export.pack_files("toytown")
    assert b"Highways" in files["departments.csv"]
    assert b"remark" in files["moves.yaml"]
    assert b"code: note" not in files["moves.yaml"]
    assert export.pack_zip("toytown") == export.pack_zip("toytown")


@pytest.mark.django_db
def test_each_load_is_a_revision_with_its_rows(tmp_path: Path) -> None:
    pack = write_pack(tmp_path)
    load_city(str(pack), echo=lambda _line: None)
    city = City.objects.get(name="toytown")
    first = Revision.objects.get(city=city)
    assert first.counts["departments add"] == 2
    assert not first.alterations.exists()
    change(pack, "departments.csv", "Roads", "Highways")
    load_city(str(pack), yes=True, echo=lambda _line: None)
    changed = Alteration.objects.get(city=city)
    assert (changed.table, changed.key, changed.action) == ("departments", "ROADS", "change")
    assert (changed.before["name"], changed.after["name"]) == ("Roads", "Highways")


@pytest.mark.django_db
def test_a_folder_or_zip_is_written_but_nothing_is_overwritten(tmp_path: Path) -> None:
    load_city(str(write_pack(tmp_path)), echo=lambda _line: None)
    export.export_city("toytown", tmp_path / "out")
    assert read_pack_of(tmp_path / "out" / "city.yaml").startswith("name: toytown")
    with pytest.raises(Conflict):
        export.export_city("toytown", tmp_path / "out")
    with pytest.raises(NotFound):
        export.pack_zip("nowhere")


def read_pack_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "C:/x", "a\\..\\..\\x", "1/2/3/4/5"])
def test_a_path_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(Invalid), archive.opened(_zip({name: b"x"}), "toytown"):
        pass


def test_what_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST", 1_000_000)
    with pytest.raises(Invalid), archive.opened(_zip({"a.csv": bytes(2_000_000)}), "toytown"):
        pass


@pytest.mark.parametrize("content", [b"", b"no zip", _zip({})])
def test_what_is_no_pack_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid), archive.opened(content, "toytown"):
        pass


def test_a_link_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        entry = zipfile.ZipInfo("city.yaml")
        entry.external_attr = 0o120777 << 16
        made.writestr(entry, "/etc/passwd")
    with pytest.raises(Invalid), archive.opened(out.getvalue(), "toytown"):
        pass
