"""What the filters of the desk offer, in the reader's language; worked out once for each version of a city."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from markupsafe import Markup, escape

from chengshu.cases import choices
from chengshu.cases.catalog import Catalog
from chengshu.places.models import Level
from chengshu.web.words import language, local

OPTION = Markup('<option value="{}">{}</option>')


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a filter offers, written out once: a city has hundreds of units."""

    written: Markup

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """From values and labels."""
        return cls(written=Markup("").join(OPTION.format(value, label) for value, label in pairs))

    def chosen(self, value: str) -> Markup:
        """The options, the one of this value selected."""
        mark = f'value="{escape(value)}"'
        return Markup(self.written.replace(mark, f"{mark} selected", 1)) if value else self.written  # noqa: S704 - escaped


@dataclass(frozen=True, kw_only=True, slots=True)
class Offers:
    """The filters that depend on the city."""

    states: Options
    majors: Options
    units: Options
    districts: Options


def offers(known: Catalog) -> Offers:
    """The filters of a city."""
    return _offers(_Key(known), language())


class _Key:
    """A catalog known by its city and version: a new version has new labels."""

    def __init__(self, known: Catalog) -> None:
        self.known, self.id = known, (known.city.pk, known.version)

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.id == other.id


@lru_cache(maxsize=16)
def _offers(key: _Key, _language: str) -> Offers:
    known = key.known
    districts = [
        (pk, place) for pk, place in known.divisions.items() if place.level == Level.DISTRICT and place.valid_to is None
    ]
    return Offers(
        states=Options.of((code, local(state, "label")) for code, state in choices.states(known)),
        majors=Options.of((type.major, local(type, "major")) for type in choices.majors(known)),
        units=Options.of((unit.code, local(unit, "name")) for unit in choices.wide_units(known)),
        districts=Options.of(
            (str(pk), local(place, "name")) for pk, place in sorted(districts, key=lambda pair: pair[1].code)
        ),
    )
