"""Dated parameters: every number of policy stands in a file with unit and source, and holds from a date on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from django.utils.translation import gettext as _

from chengshu.core.errors import NotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """`values` holds for each name its (first day, value) pairs in order of days."""

    values: Mapping[str, tuple[tuple[date, Any], ...]]

    @classmethod
    def from_dict(cls, content: Mapping[str, Mapping[str, Any]]) -> Self:
        """From `{name: {unit, source, values: {ISO date: value}}}`."""
        return cls(
            values={
                name: tuple(sorted((date.fromisoformat(str(day)), value) for day, value in entry["values"].items()))
                for name, entry in content.items()
            }
        )

    def at(self, name: str, day: date) -> Any:
        """The value of a parameter on a day: the last that began at or before it, or the first of all for earlier days."""
        if not self.values.get(name):
            raise NotFound(
                _("No parameter %(name)s.") % {"name": repr(name)},
                where="parameters.yaml",
                remedy="Add it to the city's parameters.",
            )
        history = self.values[name]
        return next((value for start, value in reversed(history) if start <= day), history[0][1])
