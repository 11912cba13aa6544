"""Who may follow a case from outside: its reporter and those who joined it, by account or by a secret word."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from chengshu import database
from chengshu.cases.catalog import catalog
from chengshu.cases.models import Case, Contact, Evidence
from chengshu.cases.story import PAUSE, Follower, story
from chengshu.core.errors import NotFound
from chengshu.parties.access import anybody
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.parties.throttle import TooMany, told_wait

LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that look alike
ANYBODY = "anybody"  # who joined a case without an account
LENGTH = 10  # letters: 49 bits, and tries are limited
_URGED = """
    SELECT max(s.at) FROM cases_step s JOIN cases_move m ON m.id = s.move_id
    WHERE s.case_id = ANY (%s) AND s.role = 'citizen' AND 'urge' = ANY (m.does) AND s.account_id IS NOT DISTINCT FROM %s
      AND coalesce(s.facts ->> 'joined', '') = %s AND s.at > %s
"""
_KNOWN = """
    SELECT c.reporter_id IS NOT DISTINCT FROM %s OR EXISTS (
               SELECT FROM cases_report r WHERE r.case_id = c.id AND r.account_id = %s AND r.verdict <> 'joined'),
           (SELECT r.verdict FROM cases_report r JOIN cases_contact x ON x.report_id = r.id
            WHERE r.case_id = c.id AND x.secret = %s LIMIT 1),
           EXISTS (SELECT FROM cases_report r WHERE r.case_id = c.id AND r.account_id = %s)
    FROM cases_case c JOIN cases_kind k ON k.id = c.kind_id WHERE c.number = %s AND k.city_id = %s
"""


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


def account_digest(account: int) -> str:
    """What stands in the place of a word where somebody joined a case with their account.

    The report itself names no account: whoever joins must not see the case as if it were theirs, with another's words.
    """
    return salted_hmac("chengshu.cases.following.account", str(account), algorithm="sha256").hexdigest()


def by_word(number: str, word: str, language: str) -> Follower:
    """The follower without an account of a case, proven by the word.

    Raises:
        NotFound: there is no such case or the word is not one of its reports; which of the two is not told.
    """
    case = Case.objects.filter(number=number.strip()).select_related("kind").first()
    found = Contact.objects.filter(report__case=case).exclude(secret="").values_list("secret", "report__verdict")
    wanted = digest(word)
    own = [verdict for secret, verdict in (found if case else ()) if hmac.compare_digest(secret, wanted)]
    if case is None or not own:
        raise NotFound(
            _("This number and word do not belong together."),
            where=number,
            remedy=_("Look at the answer you got when you reported; both stand there."),
        )
    return proven(case.kind.city_id, language, opener="opened" in own)


def proven(city: int, language: str, *, opener: bool, account: int | None = None) -> Follower:
    """Somebody without an account who showed the word of a case before, or who joined it with this account."""
    joined = "" if opener else account_digest(account)[:16] if account else ANYBODY
    principal = anybody(city=city, root=catalog(city).root, language=language, proven=True, joined=joined)
    return Follower(principal=principal, opener=opener)


def by_account(principal: Principal, number: str) -> Follower | None:
    """The follower of a case by their account; None when they neither reported nor joined it."""
    if principal.account is None:
        return None
    account = principal.account
    values = [account, account, account_digest(account), account, number, principal.city]
    [(own, joined_as, by_report)] = database.rows(_KNOWN, values) or [(False, None, False)]
    if own:
        return Follower(principal=principal, opener=True)
    if joined_as or by_report:
        return proven(principal.city, principal.language, opener=joined_as == "opened", account=account)
    return None


def check_urge(principal: Principal, moves: Sequence[tuple[UUID, str]]) -> None:
    """Refuse a citizen's moves, of which each is a case and a code, when one urges a case again that they urged just now.

    Those who joined a case without an account are not told from each other: they count as one.

    Raises:
        TooMany: it is too soon.
    """
    codes = catalog(principal.city).urges
    wanted = [case for case, code in moves if code in codes]
    if principal.role is not Role.CITIZEN or not wanted:
        return
    now = datetime.now(UTC)
    values = [wanted, principal.account, principal.joined, now - PAUSE]
    twice = len(set(wanted)) < len(wanted)
    [(last,)] = [(now,)] if twice else database.rows(_URGED, values)
    if last is not None:
        left = int((last + PAUSE - now).total_seconds()) + 1
        what = _("This case was urged within the last %(hours)d hours: those who must act were told.")
        raise TooMany(what % {"hours": PAUSE.seconds // 3600}, seconds=left, remedy=told_wait(left))


def shows(follower: Follower, number: str, file: Evidence) -> bool:
    """Whether a follower may look at a file: it stands in the part of the case that they see."""
    found = story(follower, number)
    return found is not None and any(file.pk == each.pk for line in found.lines for each in line.evidence)


def sees_file(principal: Principal, file: Evidence) -> bool:
    """Whether a citizen may look at a file: they sent it themselves, or it stands in the public part of their case."""
    if file.account_id is not None and file.account_id == principal.account:
        return True
    number = file.case.number if file.case is not None else ""
    follower = by_account(principal, number) if number else None
    return follower is not None and shows(follower, number, file)
