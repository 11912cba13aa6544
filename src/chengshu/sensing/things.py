"""The register of things: who sees which, found by what one knows of them, and what stewards change in it, with who and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from chengshu.core.errors import Conflict, Invalid, NotAllowed, NotFound
from chengshu.parties import audit
from chengshu.parties.models import Department
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.sensing import kinds, known, liveness
from chengshu.sensing.models import Liveness, Thing, ThingChange
from chengshu.sensing.scope import read_scope, write_scope

KEEPERS: Final = frozenset({Role.STEWARD, Role.ADMINISTRATOR})
SHORTEST_WHY: Final = 2
STATES: Final = tuple(state.value for state in Liveness)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is asked of the register; empty is any. `owner`, `duty` are codes of departments, `division` an id.

    `text` is a Thing's number, or the beginning of its name; `type` `-` stands for Things without one; `ids` are numbers of
    Things, or a query for them.
    """

    type: str = ""
    state: str = ""
    division: int | None = None
    owner: str = ""
    duty: str = ""
    text: str = ""
    ids: Any = None


def seen(principal: Principal) -> QuerySet[Thing]:
    """The Things that a principal sees. Raises `NotAllowed` for those who see none."""
    return Thing.objects.filter(read_scope(principal).q())


def found(principal: Principal, asked: Asked) -> QuerySet[Thing]:
    """The Things asked for, by number: a page goes on after the last one of the page before."""
    rows = seen(principal).filter(_said(asked))
    return rows.select_related("owner", "duty").order_by("pk")


def _said(asked: Asked) -> Q:
    wanted = Q()
    if asked.type:
        wanted &= Q(type="" if asked.type == "-" else asked.type)
    if asked.state:
        wanted &= Q(state=asked.state) & (Q() if asked.state == Liveness.LIVE else ~Q(state=Liveness.LIVE))
    if asked.division is not None:
        wanted &= Q(places__contains=[asked.division]) if asked.division else Q(places__len__lt=2)  # 0: not known
    if asked.owner:
        wanted &= Q(owner__code=asked.owner)
    if asked.duty:
        wanted &= Q(duty__code=asked.duty)
    if asked.text:
        wanted &= Q(key=asked.text) | Q(name__startswith=asked.text)
    if asked.ids is not None:
        wanted &= Q(pk__in=asked.ids)
    return wanted


def one(principal: Principal, pk: int) -> Thing:
    """A Thing that a principal sees. Raises `NotFound`."""
    thing = seen(principal).filter(pk=pk).select_related("owner", "duty", "city").first() if pk < 2**63 else None
    if thing is None:
        raise NotFound(_("There is no such thing."), where=str(pk), remedy=_("Go back to the register."))
    return thing


def keeps(principal: Principal) -> bool:
    """Whether a post changes the register."""
    return principal.role in KEEPERS


def retire(principal: Principal, pk: int, *, why: str, at: datetime) -> Thing:
    """Put a Thing out of use: it is not waited for, and nobody is told of its silence.

    Raises:
        Conflict: it is out of use already.
    """
    return _turn(principal, pk, "retired", why, at)


def put_back(principal: Principal, pk: int, *, why: str, at: datetime) -> Thing:
    """Put a Thing into use again; it is judged anew at once."""
    return _turn(principal, pk, "returned", why, at)


def _turn(principal: Principal, pk: int, act: str, why: str, at: datetime) -> Thing:
    with transaction.atomic():
        thing = _held(principal, pk, why, at)
        if (thing.retired_at is not None) is (act == "retired"):
            raise Conflict(
                _("This was done already."), where=thing.name, remedy=_("Load the page again to see how it stands.")
            )
        was = thing.state
        thing.retired_at = at if act == "retired" else None
        thing.state = Liveness.RETIRED if act == "retired" else _awake(thing)
        thing.state_at = at
        thing.save(update_fields=["retired_at", "state", "state_at"])
        _note(principal, thing, act, was, why, at)
        liveness.judge_now([pk], at)
    return thing


def _awake(thing: Thing) -> Liveness:
    return Liveness.NEW if thing.last_seen is None else Liveness.LIVE


def mended(principal: Principal, pk: int, *, why: str, at: datetime) -> None:
    """A person says that a faulty Thing is well."""
    with transaction.atomic():
        thing = _held(principal, pk, why, at)
        if not liveness.mark_mended([pk], at=at, why=why, account=principal.account):
            raise Conflict(_("It is not marked as faulty."), where=thing.name, remedy=_("Load the page again."))
        liveness.judge_now([pk], at)


def correct(principal: Principal, pk: int, given: Mapping[str, str], *, why: str, at: datetime) -> int:
    """Correct `type`, `owner` and `duty` (codes; empty for none) of a Thing; how many of them changed.

    Raises:
        Invalid: an unknown type or department.
    """
    with transaction.atomic():
        thing = _held(principal, pk, why, at)
        before = _facts(thing)
        thing.type = _type(principal.city, given.get("type", thing.type), thing.type)
        thing.owner = _department(principal.city, given.get("owner", before["owner"]))
        thing.duty = _department(principal.city, given.get("duty", before["duty"]))
        changed = {name: [before[name], value] for name, value in _facts(thing).items() if before[name] != value}
        if changed:
            thing.save(update_fields=["type", "owner", "duty"])
            _note(principal, thing, "changed", thing.state, why, at, changed)
            known.changed()
            liveness.judge_now([pk], at)
    return len(changed)


def _facts(thing: Thing) -> dict[str, str]:
    return {
        "type": thing.type,
        "owner": thing.owner.code if thing.owner else "",
        "duty": thing.duty.code if thing.duty else "",
    }


def _type(city: int, code: str, now: str) -> str:
    if code and code != now and code not in kinds.kinds(city).types:
        raise Invalid(_("There is no such type of things."), where=code[:100], remedy=_("Choose one of the list."))
    return code


def _department(city: int, code: str) -> Department | None:
    found = Department.objects.filter(city=city, code=code, active=True).first() if code else None
    if code and found is None:
        raise Invalid(_("There is no such department."), where=code[:100], remedy=_("Write the code of one."))
    return found


def _held(principal: Principal, pk: int, why: str, at: datetime) -> Thing:
    """A Thing that the principal may change, locked; its slice first, as whoever judges does it."""
    if not keeps(principal):
        raise NotAllowed(
            _("Only data stewards and administrators change the register."), remedy=_("Ask the data steward.")
        )
    if len(why.strip()) < SHORTEST_WHY:
        raise Invalid(_("A change needs a reason."), where="why", remedy=_("Say why in a few words."))
    one(principal, pk)
    liveness.soon([pk], at)
    rows = Thing.objects.select_for_update(of=["self"]).filter(write_scope(principal).q())
    return rows.select_related("owner", "duty").get(pk=pk)


def _note(
    principal: Principal,
    thing: Thing,
    act: str,
    was: str,
    why: str,
    at: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Who, when, why: in the Thing's history and in the audit. What ends a silence or a fault is told to its case."""
    ends = act == "retired" and was in {Liveness.SILENT, Liveness.FAULTY}
    ThingChange.objects.create(
        thing=thing, at=at, account_id=principal.account, act=act, was=was, state=thing.state, why=why.strip(),
        facts=dict(facts or {}), told=not ends,
    )  # fmt: skip
    audit.record(f"thing.{act}", principal, thing=thing.pk, number=thing.key or "", name=thing.name, why=why.strip())
