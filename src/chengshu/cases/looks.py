"""Looking up who reported: so many times an hour, so that nobody goes through the city's reporters in passing."""

from __future__ import annotations

from chengshu.parties import audit, throttle
from chengshu.parties.principal import Principal
from chengshu.parties.throttle import TooMany

LIMIT = throttle.Limit(name="contact-looks", count=60, seconds=3600)  # more than anybody can telephone in an hour


def count(principal: Principal) -> None:
    """Count a look at a contact or a search by telephone, before it is made.

    Raises:
        TooMany: this account has looked too often; the first time in an hour that is noted for the administrator.
    """
    try:
        throttle.hit(LIMIT, principal.account)
    except TooMany as error:
        if error.first:
            audit.record("contact.limit", principal, username=principal.username, looks=LIMIT.count)
        raise
