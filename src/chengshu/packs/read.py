"""Reads a city pack from its folder. All mistakes of all files are found in one reading."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid, Mistakes
from chengshu.packs import life_files, places_files, rule_files, schema, work_files
from chengshu.packs.life_files import Life
from chengshu.packs.places_files import Divisions
from chengshu.packs.records import AccountRow, BoundaryRow, CityRow, DivisionRow, Pack, PartRow, PostRow, TypeRow
from chengshu.packs.source import Document, Mend, Record, read_csv, read_features, read_yaml
from chengshu.packs.work_files import Codes

FORMAT = 2  # rises when the same files come to mean something else, so that living cities are loaded anew
NEEDED = (
    "city.yaml",
    "divisions.csv",
    "departments.csv",
    "case_types.csv",
    "moves.yaml",
    "dispatch.yaml",
    "escalation.yaml",
    "calendar.yaml",
    "parameters.yaml",
)
OPTIONAL = (
    "division_changes.csv",
    "boundaries.geojson",
    "limits.csv",
    "posts.yaml",
    "sources.yaml",
    "notices.yaml",
    "thing_types.yaml",
)
PARTS = ("dispatch", "escalation", "calendar", "parameters", "sources", "notices", "thing_types")


def digest(folder: Path) -> str:
    """SHA-256 over the pack's files (not the data beside them): the same digest is the same city."""
    total = hashlib.sha256(f"format {FORMAT}\n".encode())
    for name in sorted((*NEEDED, *OPTIONAL)):
        if (folder / name).is_file():
            content = (folder / name).read_bytes()
            total.update(f"{name} {len(content)}\n".encode())
            total.update(content)
    return total.hexdigest()


def read_pack(folder: Path) -> Pack:
    """A pack without mistakes.

    Raises:
        Mistakes: everything that is wrong, each with file, line, what and remedy.
        Invalid: there is no such folder.
    """
    if not folder.is_dir():
        raise Invalid(
            _("There is no city pack here."), where=str(folder), remedy=_("Name a folder of cities/, such as hangzhou.")
        )
    reading = _Reading(folder=folder, mend=Mend())
    pack = reading.pack()
    if reading.mend.mistakes or pack is None:
        raise Mistakes(reading.mend.mistakes)
    return pack


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """One reading of one folder."""

    folder: Path
    mend: Mend

    def pack(self) -> Pack | None:
        self.check_names()
        document = self.yaml("city")
        city = rule_files.read_city(document, self.folder.name, self.mend) if document else None
        root = document.content["root"] if document else ""
        divisions = places_files.read_divisions(self.rows("divisions"), root, self.mend)
        known = Divisions.of(divisions)
        successions = places_files.read_successions(self.rows("division_changes"), known, self.mend)
        life = self.life()
        departments = work_files.read_departments(self.rows("departments"), known, self.mend)
        codes = Codes(
            divisions=known,
            departments={row.code: row for row in departments},
            kinds=frozenset(kind.code for kind in life.kinds),
        )
        types = work_files.read_types(self.rows("case_types"), self.rows("limits"), codes.kinds, self.mend)
        accounts, posts = self.people(codes)
        parts = self.parts(codes, types, city)
        if city is None:
            return None
        return Pack(
            name=self.folder.name,
            digest=digest(self.folder),
            root=_root(divisions),
            city=city,
            divisions=divisions,
            successions=successions,
            boundaries=self.boundaries(known),
            departments=departments,
            kinds=life.kinds,
            states=life.states,
            moves=life.moves,
            types=types,
            accounts=accounts,
            posts=posts,
            parts=parts,
        )

    def where(self, name: str) -> str:
        return f"{self.folder.name}/{name}"

    def there(self, name: str) -> bool:
        """Whether a file is there; one that is needed and missing is a mistake told once, by `check_names`."""
        return (self.folder / name).is_file()

    def check_names(self) -> None:
        for name in NEEDED:
            if not self.there(name):
                self.mend.breaks(name, self.where(name), _("the file is missing."), _("Add it, or mend its name."))
        known = {*NEEDED, *OPTIONAL}
        for path in sorted(self.folder.iterdir()):
            if path.suffix in {".yaml", ".yml", ".csv", ".geojson"} and path.name not in known:
                remedy = _("The files are {names}; data goes into data/.").format(names=", ".join(sorted(known)))
                self.mend.wrong(self.where(path.name), _("this is no file of a pack."), remedy)

    def yaml(self, name: str) -> Document | None:
        """A YAML file that fits its schema, or None."""
        file = f"{name}.yaml"
        if not self.there(file):
            return None
        document = read_yaml(self.folder / file, self.where(file), self.mend)
        return document if document and schema.good_document(name, document, self.mend) else None

    def rows(self, name: str) -> list[Record]:
        """The rows of a CSV that fit its schema."""
        file = f"{name}.csv"
        if not self.there(file):
            return []
        records = read_csv(self.folder / file, self.where(file), schema.columns(name), self.mend)
        return schema.good_records(name, file, records, self.mend)

    def boundaries(self, known: Divisions) -> tuple[BoundaryRow, ...]:
        file = places_files.BOUNDARIES
        document = read_features(self.folder / file, self.where(file), self.mend) if self.there(file) else None
        if document is None:
            return ()
        records = places_files.features(document, self.mend)
        good = schema.good_records("boundaries", file, records, self.mend)
        return places_files.read_boundaries(good, known, self.mend)

    def life(self) -> Life:
        document = self.yaml("moves")
        return life_files.read_life(document, self.mend) if document else Life(kinds=(), states=(), moves=())

    def people(self, codes: Codes) -> tuple[tuple[AccountRow, ...], tuple[PostRow, ...]]:
        document = self.yaml("posts")
        if document is None:
            return (), ()
        accounts = work_files.read_accounts(document, self.mend)
        return accounts, work_files.read_posts(document, accounts, codes, self.mend)

    def parts(self, codes: Codes, types: tuple[TypeRow, ...], city: CityRow | None) -> tuple[PartRow, ...]:
        documents = {name: document for name in PARTS if (document := self.yaml(name))}
        zone = rule_files.zone_of(city.timezone, city.where, self.mend) if city else None
        for name, document in documents.items():
            match name:
                case "dispatch":
                    rule_files.check_dispatch(document, codes, types, self.mend)
                case "escalation":
                    rule_files.check_escalation(document, self.mend)
                case "calendar" if zone is not None:
                    rule_files.check_calendar(document, zone, self.mend)
                case "parameters":
                    rule_files.check_parameters(document, self.mend)
                case "sources":
                    rule_files.check_sources(document, self.folder, self.mend)
                case "notices":
                    rule_files.check_notices(document, self.mend)
                case "thing_types":
                    rule_files.check_thing_types(document, codes, types, self.mend)
        return tuple(PartRow(where=d.where, name=name, value=d.content) for name, d in documents.items())


def _root(divisions: tuple[DivisionRow, ...]) -> str:
    return next((row.key for row in divisions if not row.parent and row.valid_to is None), "")
