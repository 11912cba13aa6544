"""What a reporter may know of a case, and how one without an account shows that the case is theirs: by a secret word."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from chengshu.cases.catalog import catalog
from chengshu.cases.detail import Act, CaseDetail, detail
from chengshu.cases.models import Case, Contact, Evidence, Move, Step
from chengshu.core.errors import NotFound
from chengshu.parties.access import anybody
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role

LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that look alike
LENGTH = 10  # letters: 49 bits, and tries are limited
# Notes of officials that are written to the reporter; all others stay inside.
ANSWERS = frozenset({"reject", "handle", "self_handle", "answer", "reply", "suspend", "extend", "close", "invalid"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One public line of a case's story. `note` is empty where what was written is not for the reporter."""

    at: datetime
    move: Move
    unit: str
    own: bool
    note: str
    rating: int | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicCase:
    """A case as its reporter sees it: no names of officials, no internal notes, nobody's personal data."""

    case: Case
    steps: tuple[Step, ...]
    lines: tuple[Line, ...]
    acts: tuple[Act, ...]


def new_word(seed: str) -> str:
    """The word that belongs to one form: the same form sent twice gets the same word."""
    number = int.from_bytes(salted_hmac("chengshu.cases.following.word", seed, algorithm="sha256").digest())
    letters = []
    for _place in range(LENGTH):
        number, place = divmod(number, len(LETTERS))
        letters.append(LETTERS[place])
    return "".join(letters[:5]) + "-" + "".join(letters[5:])


def digest(word: str) -> str:
    """What is stored of a word; capitals, spaces and hyphens do not matter."""
    plain = "".join(letter for letter in word.upper() if letter.isalnum())
    return salted_hmac("chengshu.cases.following.digest", plain, algorithm="sha256").hexdigest()


def reporter_of(number: str, word: str, language: str) -> Principal:
    """The reporter without an account of a case, proven by the word.

    Raises:
        NotFound: there is no such case or the word is not one of its reports; which of the two is not told.
    """
    case = Case.objects.filter(number=number.strip()).select_related("kind").first()
    secrets = (
        Contact.objects.filter(report__case=case).exclude(secret="").values_list("secret", flat=True) if case else []
    )
    wanted = digest(word)
    if case is None or not any(hmac.compare_digest(secret, wanted) for secret in secrets):
        raise NotFound(
            _("This number and word do not belong together."),
            where=number,
            remedy=_("Look at the answer you got when you reported; both stand there."),
        )
    return anybody(city=case.kind.city_id, root=catalog(case.kind.city_id).root, language=language, proven=True)


def public(principal: Principal, number: str | UUID) -> PublicCase:
    """The public part of a case that this principal may see; of a merged case, its own story up to the merging."""
    whole = detail(principal, number)
    lines = tuple(_line(step, principal, whole) for step in whole.steps if _shown(step))
    return PublicCase(case=whole.case, steps=whole.steps, lines=lines, acts=tuple(_own(whole.allowed)))


def sees_file(principal: Principal, file: Evidence) -> bool:
    """Whether a reporter may look at a file: they sent it themselves, or it stands in the public part of their case."""
    if file.account_id is not None and file.account_id == principal.account:
        return True
    return file.case_id is not None and any(file in line.evidence for line in public(principal, file.case_id).lines)


def _own(acts: Iterable[Act]) -> Iterable[Act]:
    return (act for act in acts if Role.CITIZEN.value in act.move.roles)


def _shown(step: Step) -> bool:
    """A change of state is public, and so is whatever the reporter did; notes and inspections on the way are not."""
    return step.from_state_id != step.to_state_id or step.role == Role.CITIZEN or step.move.code in {"extend", "urge"}


def _line(step: Step, principal: Principal, whole: CaseDetail) -> Line:
    own = step.role == Role.CITIZEN and step.account_id == principal.account
    answer = own or step.move.code in ANSWERS
    return Line(
        at=step.at,
        move=step.move,
        unit=step.unit.name if step.unit else "",
        own=own,
        note=step.note if answer else "",
        rating=step.facts.get("rating"),
        evidence=tuple(e for e in whole.evidence if answer and e.seq == step.seq),
    )
