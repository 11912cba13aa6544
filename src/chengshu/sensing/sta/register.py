"""What `properties` and units say to our own register.

Of a Thing: key, type, owner and duty unit (codes of departments). Of a Datastream: key, low, high, period, and its unit in UCUM.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from chengshu.core import units
from chengshu.parties.models import Department
from chengshu.sensing.sta.body import Body, Malformed, text

LONGEST: Final = 200  # characters of a key or type
UCUM: Final = (
    "http://unitsofmeasure.org/ucum.html#",
    "https://unitsofmeasure.org/ucum.html#",
    "http://unitsofmeasure.org/ucum#",
    "ucum:",
)
"""What the definition of a unit begins with when the rest is its code in UCUM."""
_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>\d+)W|(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?)"
)
_SECONDS: Final = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def of_thing(properties: Body | None, city: int) -> Body:
    """The register's columns of a Thing. Raises `Malformed` for a department that is not there."""
    said = properties or {}
    return {
        "key": _short(said, "key"),
        "type": _short(said, "type") or "",
        "owner_id": _department(said, "owner", city),
        "duty_id": _department(said, "duty", city),
    }


def of_datastream(row: Body) -> Body:
    """The register's columns of a Datastream, from its properties and unit of measurement."""
    said = row["properties"] or {}
    low, high = _finite(said, "low"), _finite(said, "high")
    if low is not None and high is not None and low > high:
        raise Malformed("The lowest value lies above the highest.", where="properties/low")
    return {
        "key": _short(said, "key"),
        "low": low,
        "high": high,
        "period": _period(said),
        "ucum": ucum(row["unit_of_measurement"]),
    }


def ucum(unit: Body) -> str:
    """The UCUM code of a unitOfMeasurement; empty where it says none. A definition that says UCUM must name a unit."""
    definition, symbol = unit.get("definition") or "", unit.get("symbol") or ""
    for start in UCUM:
        if definition.startswith(start):
            code = definition.removeprefix(start)
            if _is_unit(code):
                return code
            raise Malformed("This is no unit of UCUM.", where=f"unitOfMeasurement/definition: {code[:60]}")
    return symbol if _is_unit(symbol) else ""


def _is_unit(code: str) -> bool:
    return 0 < len(code) <= 50 and units.known(code)


def _short(said: Body, name: str) -> str | None:
    if said.get(name) is None:
        return None
    found = text(said[name], f"properties/{name}")
    if not 0 < len(found) <= LONGEST:
        raise Malformed("This has 1 to 200 characters.", where=f"properties/{name}")
    return found


def _department(said: Body, name: str, city: int) -> int | None:
    code = _short(said, name)
    if code is None:
        return None
    found = Department.objects.filter(city=city, code=code).values_list("pk", flat=True).first()
    if found is None:
        raise Malformed("There is no such department.", where=f"properties/{name}: {code}", remedy="Write its code.")
    return found


def _finite(said: Body, name: str) -> float | None:
    value = said.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Malformed("This is a number.", where=f"properties/{name}")
    return float(value)


def _period(said: Body) -> float | None:
    value: Any = said.get("period")
    seconds = duration(value) if isinstance(value, str) else _finite(said, "period")
    if value is not None and (seconds is None or not 0 < seconds < 1e9):
        raise Malformed("This is no period.", where="properties/period", remedy="Write PT5M, or 300 for seconds.")
    return seconds


def duration(text: str) -> float | None:
    """Seconds of an ISO 8601 duration without years and months; None for anything else."""
    found = _DURATION.fullmatch(text)
    parts = {name: value for name, value in found.groupdict().items() if value} if found else {}
    return sum(float(value) * _SECONDS[name] for name, value in parts.items()) if parts else None
