"""The ticket that a page carries: who may listen, and what they may hear. Signed, so that the live process need ask nobody."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from django.core import signing
from django.utils.crypto import salted_hmac

from chengshu.core.errors import NotSignedIn

SALT = "chengshu.live.ticket"
VALID = 12 * 3600  # seconds, as a session; every page brings a new one


@dataclass(frozen=True, slots=True)
class Ticket:
    """An account in one of its posts. `root` is the division that is the whole city of the post, `session` the digest of the
    session in which the page was made.
    """

    account: int
    post: int
    name: str
    role: str
    scope: str
    root: int
    division: int
    department: int | None
    session: str


def session_digest(key: str) -> str:
    """What a ticket tells of a session: enough to see that it has ended, nothing with which to go on in it."""
    return salted_hmac(SALT, key, algorithm="sha256").hexdigest()[:24]


def issue(ticket: Ticket) -> str:
    """The text of a ticket, fit for an address."""
    return signing.dumps(astuple(ticket), salt=SALT)


def read(text: str) -> Ticket:
    """The ticket of a text.

    Raises:
        NotSignedIn: it is forged, cut, or too old.
    """
    try:
        return Ticket(*signing.loads(text, salt=SALT, max_age=VALID))
    except (signing.BadSignature, TypeError, ValueError) as error:
        raise NotSignedIn("This ticket is not valid (any more).", remedy="Load the page again.") from error
