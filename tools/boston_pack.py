"""Write the tables of the Boston pack from a file of the city's 311 requests.

    python -m tools.boston_pack FILE [--out cities/boston]

writes `divisions.csv`, `departments.csv`, `case_types.csv`, `limits.csv` and `dispatch.yaml`, and prints how well the
dispatch rules give the unit that the city chose. Nothing is written by hand in these five files. The other files of
the pack are; `sources.yaml` is read for the columns and the spellings of neighbourhoods.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from ruamel.yaml import YAML

from chengshu.core.limits import DatedLimit, Limit, LimitHistory, Unit
from chengshu.core.slug import slug
from tools.boston_clock import ZONE, Found, Requests, find, load_calendar, read
from tools.boston_dispatch import agreement, dispatch_rules, main_classes

CITY = "boston"
KNOWN_FROM = "2015-01-01"
SOURCE = "City of Boston, 311 service requests, first half of 2015 (PDDL)"
UNKNOWN_TYPE = {"code": "other", "name": "Other request (a type this pack does not know)"}

# The register gives codes; these are the names in public use, with the word by which rules may find the office.
DEPARTMENTS = {
    "PWDx": ("Public Works Department", "public_works"),
    "ISD": ("Inspectional Services Department", "inspection"),
    "BTDT": ("Boston Transportation Department", "transport"),
    "INFO": ("Mayor's 24-Hour Hotline", "hotline"),
    "PARK": ("Parks and Recreation Department", "parks"),
    "PROP": ("Property Management Department", "property"),
    "HS_O": ("Office of Civil Rights", "civil_rights"),
    "BWSC": ("Boston Water and Sewer Commission", "water"),
    "DISB": ("Commission for Persons with Disabilities", "disability"),
    "ANML": ("Animal Control", "animals"),
    "HS_Y": ("Youthline", "youth"),
    "GEN_": ("Needle Pickup Program", "needles"),
    "CHT_": ("City Hall Truck", "outreach"),
    "HS_V": ("Veterans' Services", "veterans"),
    "BPS_": ("Boston Public Schools, Transportation", "school_transport"),
    "HS_D": ("Disabilities Commissioner's Office", "disability_commissioner"),
}
NO_UNIT = "No Q"
LAST_RESORT = "INFO_Reallocation From Dept"  # where the city itself sends what a department gives back

Row = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """What is written."""

    divisions: list[Row]
    departments: list[Row]
    case_types: list[Row]
    limits: list[Row]
    dispatch: dict[str, Any]


def divisions(frame: pl.DataFrame, aliases: Mapping[str, str]) -> list[Row]:
    """The city and its neighbourhoods."""
    city = {"code": CITY, "name": "Boston", "level": "city", "parent": ""}
    names = sorted({name for name in frame["neighborhood"].drop_nulls() if name not in aliases})
    hoods = [{"code": slug(name), "name": name, "level": "district", "parent": CITY} for name in names]
    return [
        row | {"name_en": row["name"], "valid_from": KNOWN_FROM, "valid_to": "", "source": SOURCE}
        for row in [city, *hoods]
    ]


def departments(frame: pl.DataFrame) -> list[Row]:
    """The departments and, below them, the queues in which their units work."""
    codes = [code for code, _ in _counted(frame, "Department") if code != NO_UNIT]
    offices = [_office(code) for code in codes]
    pairs = frame.select("Department", "QUEUE").unique().sort("Department", "QUEUE").iter_rows()
    return offices + [_queue(department, queue) for department, queue in pairs if department != NO_UNIT]


def _office(code: str) -> Row:
    name, function = DEPARTMENTS.get(code, (code, slug(code)))
    kind = "office" if code == "INFO" else "unit"
    return _department(slug(code), name, "", function=function, kind=kind)


def _queue(department: str, queue: str) -> Row:
    name = queue.removeprefix(department).removeprefix("_").replace("_", " ").strip() or queue
    last_resort = "yes" if queue == LAST_RESORT else ""
    return _department(slug(queue), name, slug(department), function="", kind="unit", last_resort=last_resort)


def _department(code: str, name: str, parent: str, *, function: str, kind: str, last_resort: str = "") -> Row:
    return {
        "code": code,
        "name": name,
        "name_en": name,
        "level": "city",
        "parent": parent,
        "function": function,
        "division": CITY,
        "kind": kind,
        "last_resort": last_resort,
    }


def case_types(frame: pl.DataFrame, found: Found) -> list[Row]:
    """One row for every type with its newest limit, and one for types that other files may bring."""
    classes = main_classes(frame).iter_rows()
    types = [_case_type(slug(name), name, major, minor, found.limits.get(name)) for name, major, minor in classes]
    return [*types, _case_type(UNKNOWN_TYPE["code"], UNKNOWN_TYPE["name"], "Other", "Other", None)]


def _case_type(code: str, name: str, subject: str, reason: str, history: LimitHistory | None) -> Row:
    limit = history.steps[-1].limit if history else None
    blank = ("register_standard", "close_standard", "evidence")
    stages = ("accept", "register", "dispatch", "handle", "verify", "close")
    return {
        "code": code,
        "kind": "request",
        "major": subject,
        "major_en": subject,
        "minor": reason,
        "minor_en": reason,
        "name": name,
        "name_en": name,
        **dict.fromkeys(blank, ""),
        **{f"{stage}_limit": "" for stage in stages},
        "total_limit": str(limit or ""),
        "severity": str(severity(limit)),
        "urgent": "yes" if "emergenc" in name.lower() else "no",
        "source": SOURCE if limit else "no limit: the city set none in the first half of 2015",
    }


def severity(limit: Limit | None) -> int:
    """2 for limits of a day, 3 up to a (working) week, 4 beyond and without: what matters less is given more time."""
    if limit is None:
        return 4
    week = 5 if limit.unit is Unit.WORKING_DAYS else 7
    return 2 if limit.amount <= 1 else 3 if limit.amount <= week else 4


def limits(found: Found) -> list[Row]:
    """The whole history of the types whose limit changed."""
    bounds = " and ".join(f"{moment.astimezone(ZONE):%Y-%m-%d %H:%M:%S}" for moment in found.change or ())
    return [
        {
            "type": slug(name),
            "stage": "total",
            "valid_from": _valid_from(step) if position else "",
            "limit": str(step.limit or ""),
            "source": f"{SOURCE}; changed between {bounds}",
        }
        for name, history in sorted(found.limits.items())
        if len(history.steps) > 1
        for position, step in enumerate(history.steps)
    ]


def _valid_from(step: DatedLimit) -> str:
    return step.valid_from.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M")


def neighbourhoods(out: Path) -> dict[str, str]:
    """The spellings of neighbourhoods that mean another one, from `sources.yaml`."""
    found: dict[str, str] = YAML(typ="safe").load(out / "sources.yaml")["sources"][0]["aliases"]["neighborhood"]
    return found


def build(frame: pl.DataFrame, out: Path) -> Pack:
    """All tables of the pack from the rows of a file."""
    aliases = neighbourhoods(out)
    found = find(Requests.of(frame), load_calendar(out / "calendar.yaml"))
    return Pack(
        divisions=divisions(frame, aliases),
        departments=departments(frame),
        case_types=case_types(frame, found),
        limits=limits(found),
        dispatch=dispatch_rules(frame, aliases, no_unit=NO_UNIT),
    )


def _counted(frame: pl.DataFrame, column: str) -> Iterable[tuple[str, int]]:
    yield from frame.group_by(column).len().sort(["len", column], descending=[True, False]).iter_rows()


def write_csv(file: Path, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """A table with a header, in the order of columns that the pack format names."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


COLUMNS = {
    "divisions": "code,name,name_en,level,parent,valid_from,valid_to,source",
    "departments": "code,name,name_en,level,parent,function,division,kind,last_resort",
    "case_types": "code,kind,major,major_en,minor,minor_en,name,name_en,register_standard,close_standard,"
    "accept_limit,register_limit,dispatch_limit,handle_limit,verify_limit,close_limit,total_limit,severity,urgent,evidence,source",
    "limits": "type,stage,valid_from,limit,source",
}


def write(pack: Pack, out: Path) -> None:
    """Write the five files."""
    for name, columns in COLUMNS.items():
        write_csv(out / f"{name}.csv", getattr(pack, name), columns.split(","))
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.width = 140
    with (out / "dispatch.yaml").open("w", encoding="utf-8") as stream:
        stream.write(
            "# Written by tools/boston_pack.py from the queues that the city chose in the first half of 2015.\n"
        )
        yaml.dump(pack.dispatch, stream)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, default=Path("cities/boston"))
    options = parser.parse_args()
    frame = read(options.file)
    pack = build(frame, options.out)
    write(pack, options.out)
    counts: dict[str, Any] = {name: len(getattr(pack, name)) for name in COLUMNS}
    counts["dispatch"] = len(pack.dispatch["rules"]), agreement(frame, pack.dispatch, neighbourhoods(options.out))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
