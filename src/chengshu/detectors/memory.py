"""What a detector remembers of every thing, in columns; between windows it is plain JSON that names only things worth naming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chengshu.detectors.readings import Floats, Ints
from chengshu.scene import State

NEVER: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """One row per thing: when it last said something (`at`, microseconds since 1970), and the fields of the detector.

    Args:
        things: their keys, sorted, each once.
        fields: an array per field; whole numbers where its default is one.
        defaults: the value of each field for a thing of which nothing is remembered.
    """

    things: pl.Series
    at: Ints
    fields: Mapping[str, NDArray[Any]]
    defaults: Mapping[str, int | float]

    @classmethod
    def resume(cls, state: State, things: pl.Series, defaults: Mapping[str, int | float]) -> Self:
        """From what `state()` gave, with room for `things` (sorted); a field that it lacks has its default."""
        known = pl.Series("thing", state.get("thing", []), dtype=pl.String())
        together = _together(known, _heads(things.rename("thing")))
        memory = cls(
            things=together,
            at=np.full(len(together), NEVER, dtype=np.int64),
            fields={name: np.full(len(together), default) for name, default in defaults.items()},
            defaults=defaults,
        )
        if len(known):
            memory._recall(state, memory.places(known))
        return memory

    def _recall(self, state: State, places: Ints) -> None:
        self.at[places] = np.array(state["at"], dtype=np.int64)
        for name, column in self.fields.items():
            if name in state:  # null stands for NaN, which JSON has not
                column[places] = np.array(state[name], dtype=column.dtype)

    def places(self, things: pl.Series) -> Ints:
        """The index of each of these things, all of which it must know."""
        if things.equals(self.things):
            return np.arange(len(things))
        return self.things.search_sorted(things).cast(pl.Int64).to_numpy()

    def forget(self, places: Ints) -> None:
        """Back to the defaults for these things."""
        for name, column in self.fields.items():
            column[places] = self.defaults[name]

    def begin_anew(self, places: Ints, at: Ints, gap: float) -> None:
        """Forget those of these things that now speak after more than `gap` microseconds of silence."""
        self.forget(places[_apart(self.at[places], at) > gap])

    def state(self, until: int, gap: float) -> dict[str, Any]:
        """Plain JSON. Left out is what would be forgotten at the thing's next word anyway, and what is as if never heard of."""
        differs = np.zeros(len(self.things), dtype=np.bool_)
        for name, column in self.fields.items():
            differs |= ~np.isnan(column) if np.isnan(self.defaults[name]) else column != self.defaults[name]
        kept = np.flatnonzero(differs & (_apart(self.at, np.int64(until)) <= gap))
        columns = {name: _plain(column[kept]) for name, column in self.fields.items()}
        return {"thing": self.things[kept].to_list(), "at": _plain(self.at[kept]), **columns}


def _together(known: pl.Series, things: pl.Series) -> pl.Series:
    """The things of both, sorted, each once; both come so. Mostly all that are known speak again, which saves the sorting."""
    if known.is_empty() or things.equals(known):
        return things
    if not things.is_empty():
        at = things.search_sorted(known).clip(upper_bound=len(things) - 1)
        if (things.gather(at) == known).all():
            return things
    return _heads(pl.concat([known, things]).sort())


def _heads(things: pl.Series) -> pl.Series:
    """Each once, of sorted things."""
    return things.filter(things.ne_missing(things.shift(1)))


def _apart(before: Ints, after: Ints | np.int64) -> Floats:
    """How long after `before`, in microseconds; 0 where there is no before."""
    return np.where(before == NEVER, 0, after - np.where(before == NEVER, 0, before)).astype(np.float64)


def _plain(column: NDArray[Any]) -> Any:
    """A list, NaN as None; or one number where all are the same, which keeps a state of many calm things small."""
    if column.size and (column == column[0]).all():
        return column[0].item() + 0
    if column.dtype.kind != "f":
        return column.tolist()
    return (
        pl.Series(column + 0.0).fill_nan(None).to_list()
    )  # adding 0 makes of -0.0, which a database may not keep, 0.0
