"""Derive Boston's dispatch rules from the queues into which the city put its requests.

The rules are a decision table: the first that matches wins. Types that one queue receives come first, then types
whose queue depends on the neighbourhood (the districts of Public Works, the regions of Parks), then types that only
the department is known of, then whole classes for types that the file did not contain, then the hotline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from chengshu.core.slug import slug

MAJORITY = 0.5
FEWEST_HERE = 10  # rows of a neighbourhood from which a district queue is believed
DISTRICT = r"^(.*_(?:District|Region))\b"

Rule = dict[str, Any]


def dispatch_rules(frame: pl.DataFrame, aliases: Mapping[str, str], *, no_unit: str) -> dict[str, Any]:
    """The content of `dispatch.yaml`."""
    rows = _rows(frame.filter(pl.col("Department") != no_unit), aliases)
    by_queue = _leading(rows, ["type"], "queue").filter(pl.col("share") >= MAJORITY)
    rest = rows.join(by_queue, on="type", how="anti")
    by_family = _leading(rest, ["type"], "family").filter(
        (pl.col("share") >= MAJORITY) & pl.col("family").is_not_null()
    )
    by_office = _leading(rest, ["type"], "office").filter(pl.col("share") >= MAJORITY)
    rules = [
        *_type_rules(by_queue, "queue"),
        *_district_rules(rest, by_family),
        *_type_rules(by_office, "office"),
        *_class_rules(_leading(rows, ["minor"], "office"), "minor"),
        *_class_rules(_leading(rows, ["major"], "office"), "major"),
        _rule({}, "info", "Nothing else fits: the hotline finds the right department."),
    ]
    return {"rules": [{"id": f"b{number:03d}"} | rule for number, rule in enumerate(rules, 1)]}


def agreement(frame: pl.DataFrame, dispatch: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, float]:
    """The share of requests for which the rules give the queue, or at least the department, recorded last."""
    rows = _rows(frame, aliases)
    kinds = rows.group_by("type", "minor", "major", "division", "queue", "office").len().iter_rows(named=True)
    offices = dict(rows.select("queue", "office").unique().iter_rows())
    hits = {"unit": 0, "department": 0}
    for row in kinds:
        unit = next(rule["unit"] for rule in dispatch["rules"] if _matches(rule["when"], row))
        hits["unit"] += row["len"] if unit == row["queue"] else 0
        hits["department"] += row["len"] if row["office"] in (unit, offices.get(unit)) else 0
    return {name: round(count / len(rows), 4) for name, count in hits.items()}


def main_classes(frame: pl.DataFrame) -> pl.DataFrame:
    """Each type with the one class (SUBJECT, REASON) that most of its rows have."""
    counted = frame.group_by("TYPE", "SUBJECT", "REASON").len().sort("len", "SUBJECT", "REASON", descending=True)
    return counted.unique("TYPE", keep="first").sort("TYPE").drop("len")


def _matches(when: Mapping[str, Sequence[str]], row: Mapping[str, Any]) -> bool:
    return all(row[name] in allowed for name, allowed in when.items())


def _rows(frame: pl.DataFrame, aliases: Mapping[str, str]) -> pl.DataFrame:
    hood = pl.col("neighborhood").replace(aliases)
    return (
        frame.drop("SUBJECT", "REASON")
        .join(main_classes(frame), on="TYPE")
        .select(
            type=_slugged(pl.col("TYPE")),
            minor=pl.col("REASON"),
            major=pl.col("SUBJECT"),
            division=_slugged(hood),
            queue=_slugged(pl.col("QUEUE")),
            family=pl.col("QUEUE").str.extract(DISTRICT),
            office=_slugged(pl.col("Department")),
        )
    )


def _slugged(column: pl.Expr) -> pl.Expr:
    return column.map_elements(slug, return_dtype=pl.String)


def _leading(rows: pl.DataFrame, keys: list[str], value: str) -> pl.DataFrame:
    """For each key the value most of its rows have, with the number of rows, and the share that has it."""
    counted = rows.group_by([*keys, value]).len("hits").sort(["hits", value], descending=[True, False])
    totals = rows.group_by(keys).len("rows")
    leading = counted.unique(keys, keep="first").join(totals, on=keys)
    return leading.with_columns(share=pl.col("hits") / pl.col("rows")).sort(keys)


def _type_rules(leading: pl.DataFrame, value: str) -> list[Rule]:
    groups = leading.group_by(value).agg("type", pl.col("hits").sum(), pl.col("rows").sum()).sort(value)
    return [
        _rule({"type": sorted(types)}, unit, _because(hits, rows, "of these types"))
        for unit, types, hits, rows in groups.iter_rows()
    ]


def _district_rules(rest: pl.DataFrame, by_family: pl.DataFrame) -> list[Rule]:
    rules: list[Rule] = []
    for family in sorted(set(by_family["family"])):
        types = sorted(by_family.filter(pl.col("family") == family)["type"])
        here = rest.filter(pl.col("type").is_in(types) & pl.col("division").is_not_null())
        rules += _family_rules(here, types)
    return rules


def _family_rules(here: pl.DataFrame, types: list[str]) -> list[Rule]:
    leading = _leading(here, ["division"], "queue")
    chosen = leading.filter((pl.col("rows") >= FEWEST_HERE) & (pl.col("share") >= MAJORITY))
    groups = chosen.group_by("queue").agg("division", pl.col("hits").sum(), pl.col("rows").sum()).sort("queue")
    what = "of these types from these neighbourhoods"
    return [
        _rule({"type": types, "division": sorted(divisions)}, queue, _because(hits, rows, what))
        for queue, divisions, hits, rows in groups.iter_rows()
    ]


def _class_rules(leading: pl.DataFrame, key: str) -> list[Rule]:
    chosen = leading.filter(pl.col("share") >= MAJORITY)
    groups = chosen.group_by("office").agg(key, pl.col("hits").sum(), pl.col("rows").sum()).sort("office")
    return [
        _rule({key: sorted(names)}, unit, _because(hits, rows, "of these classes"))
        for unit, names, hits, rows in groups.iter_rows()
    ]


def _because(hits: int, rows: int, what: str) -> str:
    return f"{hits / rows:.0%} of {rows} requests {what} in the first half of 2015 ended there."


def _rule(when: Mapping[str, Sequence[str]], unit: str, because: str) -> Rule:
    return {"when": dict(when), "unit": unit, "because": because, "because_en": because}
