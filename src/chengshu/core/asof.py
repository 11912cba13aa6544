"""The moment at which a register of cases was copied, told from the copy itself.

Whether a case that is still open was overdue depends on the moment of the copy, which files seldom state. It lies
after everything the file records as having happened (reports, closings, due times that are already called missed) and
before every due time of an open case that is still called on time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from chengshu.core.errors import Invalid

Times = NDArray[np.datetime64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class AsOf:
    """Bounds of the moment of a copy, datetime64 in UTC; `latest` is None when no open case tells."""

    earliest: np.datetime64
    latest: np.datetime64 | None

    @property
    def moment(self) -> np.datetime64:
        """The moment to judge open cases by: the last one for which the file is known to speak."""
        return self.earliest

    @property
    def contradiction(self) -> bool:
        """Whether the statuses cannot all have been written at one moment."""
        return self.latest is not None and bool(self.latest < self.earliest)

    @classmethod
    def infer(cls, *, opened: Times, closed: Times, target: Times, overdue: Flags, on_time: Flags) -> Self:
        """Bounds from columns of datetime64 in UTC (NaT where empty) and the statuses as the city recorded them."""
        still_open = np.isnat(closed) & ~np.isnat(target)
        happened = [_known(opened), _known(closed), target[still_open & overdue]]
        known = np.concatenate(happened)
        if not known.size:
            raise Invalid("The file records nothing that happened.", remedy="Give a file with times of reports.")
        future = target[still_open & on_time]
        return cls(earliest=known.max(), latest=future.min() if future.size else None)


def _known(times: Times) -> Times:
    return times[~np.isnat(times)]
