"""Who acts: an account in one of its posts. Everything that is written or read asks this record."""

from __future__ import annotations

from dataclasses import dataclass

from chengshu.parties.roles import SCOPES, Role, Scope


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """An account acting in one post. `division` is the post's jurisdiction, `department` its department.

    `proven` marks a reporter without an account who knew a case's word: such a principal is made for that case only. `joined`
    marks one whose report joined the case of somebody else, and tells those with an account from each other; every step that
    it makes remembers that.
    """

    account: int | None
    username: str
    name: str
    post: int | None
    role: Role
    city: int
    division: int
    department: int | None
    language: str = "zh-hans"
    proven: bool = False
    joined: str = ""

    @property
    def scope(self) -> Scope:
        return Scope.ALL if self.proven else SCOPES[self.role]


def system(city: int, division: int) -> Principal:
    """The platform itself, acting by rule within a city whose root division is given."""
    return Principal(
        account=None,
        username="system",
        name="system",
        post=None,
        role=Role.SYSTEM,
        city=city,
        division=division,
        department=None,
    )
