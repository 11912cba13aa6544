"""What all pages of administration share: who may open them, reasons, mistakes, and changes in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from chengshu.core.errors import ChengshuError, Invalid, Mistake, Mistakes, NotAllowed
from chengshu.packs import editing
from chengshu.packs.diff import NOTHING, FieldChange, differences
from chengshu.packs.editing import Proposal
from chengshu.packs.models import Alteration
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.places.models import City
from chengshu.web import words
from chengshu.web.admin import field_words
from chengshu.web.pages import P, Request, View, known, text

ADMIN = frozenset({Role.ADMINISTRATOR})
READERS = ADMIN | {Role.STEWARD, Role.ANALYST}
LONGEST_WHY = 500
Field = Callable[[str], tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A field that changes, in words."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """A change in the history of one thing: who, when, how, why, and what it did."""

    number: int
    at: datetime
    who: str
    how: str
    why: str
    new: bool
    ended: bool
    differences: Sequence[Difference]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """One mistake in words: where it is, and the place on the page if that is a field of the form."""

    where: str
    what: str
    remedy: str
    place: str = ""

    @classmethod
    def of(cls, mistake: Mistake, field: Field) -> Trouble:
        place, called = field(mistake.where)
        where = called or (mistake.where if mistake.where != editing.FORM else "")
        return cls(where=where, what=mistake.what, remedy=mistake.remedy, place=place)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrong:
    """Why a form was refused: mistakes one by one, or one sentence, perhaps with the address where it can be mended."""

    mistakes: Sequence[Trouble] = ()
    sentence: str = ""
    status: int = 422
    href: str = ""

    def __bool__(self) -> bool:
        return bool(self.mistakes or self.sentence)

    @classmethod
    def of(cls, error: ChengshuError, field: Field = lambda _where: ("", "")) -> Wrong:
        """An error in words; `field` tells the place on the page and the words of what an error calls `where`."""
        if isinstance(error, Mistakes):
            return cls(mistakes=[Trouble.of(mistake, field) for mistake in error.mistakes], status=error.status)
        what, remedy = _(error.what), _(error.remedy) if error.remedy else ""
        if field(error.where)[1]:
            own = Mistake(where=error.where, what=what, remedy=remedy)
            return cls(mistakes=[Trouble.of(own, field)], status=error.status)
        return cls(sentence=" ".join(filter(None, (what, remedy))), status=error.status)


def changed_wrong(city: City, proposal: Proposal, seen: str) -> Wrong:
    """That somebody changed the same thing since the form was opened, told when it is only checked as well."""
    if seen == proposal.seen:
        return Wrong()
    return Wrong.of(editing.changed_meanwhile(city, proposal.table, proposal.key))


def whole_city(view: View[P]) -> View[P]:
    """Let only posts for the whole city open a page; others are not offered links to it (`chengshu.web.doors`)."""

    @wraps(view)
    def answer(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.principal.division != known(request).root:
            what = _("This page is for those who answer for the whole city.")
            raise NotAllowed(what, remedy=_("Ask the administrator of the city."))
        return view(request, *args, **kwargs)

    answer.whole_city = True  # type: ignore[attr-defined]
    return answer


def may_edit(request: Request) -> bool:
    """Whether this post may change the configuration: an administrator of the whole city."""
    return edits(request.principal, known(request).root)


def edits(principal: Principal, root: int) -> bool:
    return principal.role is Role.ADMINISTRATOR and principal.division == root


def why(request: Request) -> str:
    return text(request, "why", LONGEST_WHY)


def told(fields: Iterable[FieldChange]) -> list[Difference]:
    """Changes of fields in words; those that only repeat others are left out."""
    return [
        Difference(
            name=field_words.label(f.name), old=field_words.shown(f.name, f.old), new=field_words.shown(f.name, f.new)
        )
        for f in fields
        if not _repeats(f)
    ]


def _repeats(change: FieldChange) -> bool:
    """An order that follows from its entries, such as days; of a dated limit its own day, and that it always was so."""
    if change.name.endswith(".order"):
        return all(_sorted(value) for value in (change.old, change.new))
    if not change.name.startswith("dated_limits"):
        return False
    since_ever = change.name.startswith(f"dated_limits.{NOTHING}.")
    return change.name == "dated_limits" or change.name.endswith(".valid_from") or (since_ever and not change.old)


def _sorted(values: Any) -> bool:
    return not isinstance(values, list) or values == sorted(values, key=lambda value: (len(value), value))


def past(alterations: Iterable[Alteration]) -> list[Past]:
    """A history in words, in the order given."""
    return [
        Past(
            number=a.pk,
            at=a.revision.at,
            who=a.revision.account.name if a.revision.account else "",
            how=a.revision.how,
            why=a.revision.why,
            new=a.before is None,
            ended=a.after is None,
            differences=told(_fields(a.before, a.after)),
        )
        for a in alterations
    ]


def _fields(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[FieldChange, ...]:
    return differences(dict(before), dict(after)) if before is not None and after is not None else ()


def day(request: Request, name: str) -> date | None:
    """A day of a form; None when it was left empty."""
    value = text(request, name, 20)
    try:
        return date.fromisoformat(value) if value else None
    except ValueError as error:
        raise Invalid(_("This is no date."), where=name, remedy=_("Write it as 2027-01-01.")) from error


def in_words(entry: Mapping[str, Any], name: str) -> str:
    """A text of the configuration in the reader's language."""
    return words.local(entry, name)
