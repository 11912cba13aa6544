"""Cases found by the telephone of who reported them: only by the whole number, only by its keyed digest, never without a trace.

The digest is an HMAC under the installation's secret key. Whoever copies the table without the key cannot try all numbers on it.
After a change of the key, earlier contacts are no longer found by telephone; they can still be read from their case.
"""

from __future__ import annotations

import re

from django.conf import settings
from django.core import signing
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from chengshu.cases import looks
from chengshu.cases.models import Case, Contact
from chengshu.cases.visibility import visible
from chengshu.core.errors import Invalid, NotAllowed
from chengshu.parties.models import Access
from chengshu.parties.principal import Principal
from chengshu.parties.roles import READS_CONTACT

SALT = "chengshu.telephone"
MOST = 50  # cases of one number that a search names in its trace and shows
VALID = 3600  # seconds for which a search may be looked at again without a new trace
PURPOSE = "search by telephone"
_WRITTEN = re.compile(r"\+?[0-9][0-9 ()-]{8,20}")
_SHORTEST, _LONGEST = 10, 15  # digits; fewer are the end of a case's number, E.164 has 15 at most
_DATED = re.compile(r"(?:19|20)[0-9]{6}-[0-9]{6,}")  # the end of a case's number


def digits(phone: str) -> str:
    """The digits of a number without the prefix of China, by which one number is always written alike."""
    plain = re.sub(r"[^0-9]", "", phone)
    national = re.sub(r"^(?:00)?86(?=1[0-9]{10}$|0[0-9]{9,11}$)", "", plain)
    return national if _SHORTEST - 3 <= len(national) <= _LONGEST else ""


def key(phone: str) -> str:
    """The digest under which a telephone is kept and looked for; empty for what is no number."""
    plain = digits(phone)
    return salted_hmac(SALT, plain, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest() if plain else ""


def masked(phone: str) -> str:
    """As much of a number as may be shown: `138****0000`."""
    plain = digits(phone)
    return f"{plain[:3]}****{plain[-4:]}" if len(plain) > 8 else "****" + plain[-2:]


def looks_like(text: str) -> bool:
    """Whether words typed into a search box are a telephone and nothing else."""
    written = text.strip()
    return (
        bool(_WRITTEN.fullmatch(written))
        and not _DATED.fullmatch(written)
        and _SHORTEST <= len(digits(written)) <= _LONGEST
    )


def search(principal: Principal, phone: str) -> str:
    """Look for a telephone: leave a trace at every case found, and give a word by which the result can be shown.

    Raises:
        NotAllowed: this post does not read contacts.
        Invalid: this is no whole number.
        TooMany: this account looked people up too often.
    """
    if principal.role not in READS_CONTACT or principal.account is None:
        raise NotAllowed(
            _("This post does not search by telephone."), remedy=_("Search by words, by number or by place.")
        )
    if not looks_like(phone):
        what, remedy = _("This does not look like a telephone number."), _("Give the whole number, with its area code.")
        raise Invalid(what, where="telephone", remedy=remedy)
    looks.count(principal)
    found, shown = _cases(principal, key(phone)), masked(phone)
    subjects = [f"case:{case.pk}" for case in found] or [f"telephone:{shown}"]
    Access.objects.bulk_create(
        Access(account_id=principal.account, post_id=principal.post, subject=subject, fields=["phone"], purpose=PURPOSE)
        for subject in subjects
    )
    return signing.dumps([principal.account, shown, [str(case.pk) for case in found]], salt=SALT, compress=True)


def shown(principal: Principal, word: str) -> tuple[str, list[str]]:
    """The masked number and the ids of the cases of a search made by this account within the hour."""
    try:
        account, number, cases = signing.loads(word, salt=SALT, max_age=VALID)
    except signing.BadSignature as error:
        raise Invalid(
            _("This search by telephone is over."), where="tel", remedy=_("Type the number again.")
        ) from error
    if account != principal.account or principal.role not in READS_CONTACT:
        raise NotAllowed(_("Somebody else made this search."), where="tel", remedy=_("Type the number again."))
    return number, cases


def _cases(principal: Principal, digest: str) -> list[Case]:
    """The newest visible cases of a number."""
    if not digest:
        return []
    reports = Contact.objects.filter(phone_key=digest).values("report__case")
    return list(visible(principal).filter(pk__in=reports).order_by("-pk")[:MOST])
