"""What feeds prove themselves with: kept encrypted, or in the environment of whoever runs the platform; never shown again."""

from __future__ import annotations

import base64
import os
import re
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.translation import gettext as _

from chengshu.core.errors import Conflict, Invalid
from chengshu.sensing.models import Feed

# Only names of this form: whoever connects a source must not read other secrets of the server by naming them.
NAME: Final = re.compile(r"CHENGSHU_FEED_[A-Z0-9_]{1,60}")
RESERVED: Final = {"CHENGSHU_FEED_NETWORKS"}
LONGEST: Final = 4_000
FORM: Final = 86_400  # seconds for which a form that holds one counts


def _key() -> Fernet:
    made = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"chengshu feeds").derive(
        settings.SECRET_KEY.encode()
    )
    return Fernet(base64.urlsafe_b64encode(made))


def sealed(secret: str) -> bytes:
    """A secret as it is kept. Raises `Invalid` for one that could not be sent."""
    if len(secret) > LONGEST or not secret.isprintable():
        raise Invalid(_("The secret cannot be sent like this."), remedy=_("Write it in one line."))
    return _key().encrypt(secret.encode())


def opened(sealed: str) -> str:
    """A secret that went through a form sealed; empty for none. Raises `Invalid` for what this server did not seal."""
    try:
        return _key().decrypt(sealed.encode(), ttl=FORM).decode() if sealed else ""
    except (InvalidToken, UnicodeError) as error:
        raise Invalid(_("The secret of this form is too old."), where="secret", remedy=_("Enter it again.")) from error


def named(name: str) -> str:
    """The name of a variable of the environment. Raises `Invalid` for one that is not for feeds."""
    if not NAME.fullmatch(name) or name in RESERVED:
        raise Invalid(
            _("A secret's variable is named CHENGSHU_FEED_…"), where=name[:100], remedy=_("Name another variable.")
        )
    return name


def secret_of(feed: Feed) -> str:
    """A feed's secret; empty when it has none. Raises `Conflict` when it cannot be read."""
    if feed.secret_name:
        value = os.environ.get(named(feed.secret_name), "")
        if not value:
            what = _("The variable of the secret is not set.")
            raise Conflict(what, where=feed.secret_name, remedy=_("Set it where the platform is started."))
        return value
    if feed.secret is None:
        return ""
    try:
        return _key().decrypt(bytes(feed.secret)).decode()
    except InvalidToken as error:
        what = _("The secret cannot be read: the server's key was changed.")
        raise Conflict(what, remedy=_("Enter it again.")) from error
