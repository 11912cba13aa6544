"""The words shown before Django is there: gettext by the language of the environment.

Pages and APIs use Django's translations; the command line and the start-up must speak before any setting is known.
Both read the same catalogue, `locale/<language>/LC_MESSAGES/django.mo`.
"""

from __future__ import annotations

import gettext
import os
from functools import cache
from pathlib import Path

LOCALE = Path(__file__).resolve().parent.parent / "locale"


def language() -> str:
    """Return the language of this process as named in `locale/`: `zh_Hans` for any Chinese locale, else `en`."""
    for name in ("CHENGSHU_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "zh_Hans" if value.lower().startswith("zh") else "en"
    return "en"


@cache
def _catalogue(name: str) -> gettext.NullTranslations:
    return gettext.translation("django", str(LOCALE), languages=[name], fallback=True)


def _(message: str) -> str:
    """Return `message` in the language of this process."""
    return _catalogue(language()).gettext(message)
