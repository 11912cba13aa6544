"""Who sees and who writes which Things, as a condition on their rows.

A Thing is seen by posts whose jurisdiction holds it, and by the handlers of the department that owns or mends it. A gateway with
a department sees and writes the Things of that department only. Sensors and observed properties are the city's common words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Q

from chengshu.core.errors import NotAllowed
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF, Role
from chengshu.places.models import Division

READS: Final = STAFF | {Role.GATEWAY, Role.SYSTEM}
WRITES: Final = frozenset({Role.GATEWAY, Role.STEWARD, Role.ADMINISTRATOR, Role.SYSTEM})


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows that somebody sees: of a `city`, within a `division` (None: all of it), of a `department` (None: of any).

    `duty` tells whether being the one who mends them counts as being theirs.
    """

    city: int
    division: int | None
    department: int | None
    duty: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is all of the city."""
        return self.division is None and self.department is None

    def q(self, prefix: str = "") -> Q:
        """The condition on a Thing, or on what reaches one by the path `prefix`."""
        found = Q(**{f"{prefix}city": self.city})
        if self.division is not None:
            found &= Q(**{f"{prefix}places__contains": [self.division]})
        if self.department is not None:
            theirs = Q(**{f"{prefix}owner": self.department})
            found &= theirs | Q(**{f"{prefix}duty": self.department}) if self.duty else theirs
        return found


def read_scope(principal: Principal) -> Scope:
    """What a principal sees. Raises `NotAllowed` for those who see no Things."""
    if principal.role not in READS:
        raise NotAllowed("This post sees no sensors.", remedy="Use a post of the city's staff, or a gateway's token.")
    if principal.role is Role.HANDLER:
        # A department that does not exist, where a handler has none: they see nothing.
        return Scope(principal.city, None, principal.department or -1, duty=True)
    department = principal.department if principal.role is Role.GATEWAY else None
    return Scope(principal.city, _narrow(principal), department)


def write_scope(principal: Principal) -> Scope:
    """What a principal may write. Raises `NotAllowed` for those who may not."""
    if principal.role not in WRITES:
        raise NotAllowed("This post does not write what sensors say.", remedy="Use a gateway's token.")
    return read_scope(principal)


def _narrow(principal: Principal) -> int | None:
    """The division that narrows what a post sees; None for the city's root."""
    return None if principal.division in _roots(principal.city) else principal.division


_kept: dict[int, frozenset[int]] = {}


def _roots(city: int) -> frozenset[int]:
    """The city's divisions without a parent. They never change once they are there."""
    if city not in _kept:
        _kept[city] = frozenset(Division.objects.filter(city=city, parent=None).values_list("pk", flat=True))
    return _kept[city]


def forget() -> None:
    """Drop what is kept."""
    _kept.clear()
