"""Writes the living city as a city pack: a folder or a zip that `chengshu load-city` accepts and that changes nothing here.

A pack says how a city is, not how it came to be so: what was retired, the history of changes, and the accounts and posts of
people are not in it; nor are the sources of replays whose data are not at hand.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from django.conf import settings
from django.utils.translation import gettext as _
from ruamel.yaml import YAML

from chengshu.core.errors import Conflict
from chengshu.packs import contents, schema
from chengshu.packs.current import current
from chengshu.packs.places_files import Divisions
from chengshu.packs.read import PARTS
from chengshu.packs.records import Pack

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same city makes the same zip


def pack_files(name: str) -> dict[str, bytes]:
    """The files of the pack of a living city by name; those of `data/` come from the pack that was loaded, if it is there.

    Raises:
        NotFound: no city of this name is loaded.
    """
    pack, _living = current(name)
    data = _data(pack)
    return {**_tables(pack), **_life_and_people(pack), **_parts(pack, data), **data}


def pack_zip(name: str) -> bytes:
    """The pack of a living city as a zip with one folder of the city's name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(pack_files(name).items()):
            entry = zipfile.ZipInfo(f"{name}/{path}", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return out.getvalue()


def export_city(
    name: Annotated[str, typer.Argument(help="A loaded city, such as hangzhou.")],
    to: Annotated[Path | None, typer.Argument(help="A zip or a folder that is not there yet.")] = None,
) -> None:
    """Write the living city as a city pack, without what was retired, people's accounts, and the history of changes."""
    target = to or Path(f"{name}.zip")
    if target.exists():
        raise Conflict(_("This is there already."), where=str(target), remedy=_("Name another place, or move it away."))
    if target.suffix == ".zip":
        target.write_bytes(pack_zip(name))
    else:
        _write_folder(target, pack_files(name))
    typer.echo(str(target))


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def _tables(pack: Pack) -> dict[str, bytes]:
    known = Divisions.of(pack.divisions)
    files = {
        "divisions.csv": _csv("divisions", (contents.division(row, known) for row in pack.divisions)),
        "departments.csv": _csv("departments", (contents.department(row, known) for row in pack.departments)),
        "case_types.csv": _csv("case_types", (contents.case_type(row) for row in pack.types)),
    }
    dated = [limit for row in pack.types for limit in contents.limits(row)]
    if dated:
        files["limits.csv"] = _csv("limits", dated)
    if pack.successions:
        files["division_changes.csv"] = _csv("division_changes", map(contents.succession, pack.successions))
    if pack.boundaries:
        files["boundaries.geojson"] = _geojson([contents.boundary(row) for row in pack.boundaries])
    return files


def _life_and_people(pack: Pack) -> dict[str, bytes]:
    files = {"city.yaml": _yaml(contents.city(pack.city)), "moves.yaml": _yaml(contents.life(pack))}
    if pack.accounts:
        people = contents.people(pack.accounts, pack.posts, Divisions.of(pack.divisions))
        files["posts.yaml"] = _yaml(people)
    return files


def _parts(pack: Pack, data: dict[str, bytes]) -> dict[str, bytes]:
    """Sources are left out where their data are not at hand: a pack that names a missing file is refused."""
    wanted = [part for part in pack.parts if part.name in PARTS and (part.name != "sources" or data)]
    return {f"{part.name}.yaml": _yaml(part.value) for part in wanted}


def _data(pack: Pack) -> dict[str, bytes]:
    """The files that the sources name, with the word on where they come from; nothing unless all are there."""
    sources: Any = next((part.value for part in pack.parts if part.name == "sources"), None)
    folder = settings.CITIES_ROOT / pack.name
    named = {source["file"] for source in sources["sources"]} if sources else set()
    if not named or not all((folder / name).is_file() for name in named):
        return {}
    beside = [path for path in sorted((folder / "data").glob("*")) if path.is_file()]
    found = {str(path.relative_to(folder)) for path in beside} | named
    return {name: (folder / name).read_bytes() for name in sorted(found)}


def _csv(name: str, rows: Iterable[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(schema.columns(name)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _geojson(features: Sequence[dict[str, Any]]) -> bytes:
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    return f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n'.encode()


def _yaml(value: Any) -> bytes:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None  # short lists and mappings in one line
    yaml.allow_unicode, yaml.width = True, 120
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    out = io.StringIO()
    yaml.dump(value, out)
    return out.getvalue().encode()
