"""The built front end: names with their digests, read from the manifest that the build writes."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static
from markupsafe import Markup

from chengshu.core.errors import CannotStart

DIST = Path(__file__).parent / "static" / "dist"


@lru_cache(maxsize=1)
def _built() -> dict[str, str]:
    try:
        manifest = json.loads((DIST / "manifest.json").read_text())
        digest = hashlib.sha256((DIST / "icons.svg").read_bytes()).hexdigest()[:12]
    except FileNotFoundError as error:
        raise CannotStart("The front end is not built.", where=str(DIST), remedy="Run `make assets`.") from error
    found = {"icons": f"icons.svg?v={digest}"}
    for entry in (entry for entry in manifest.values() if entry.get("isEntry")):
        found[f"{entry['name']}.script"] = entry["file"]
        found.update({f"{entry['name']}.style": style for style in entry.get("css", ())[:1]})
    return found


def asset(name: str) -> str:
    """The address of `main.script`, `main.style`, those of a room such as `desk.script`, or `icons`."""
    if settings.DEBUG:
        _built.cache_clear()
        _address.cache_clear()
    return _address(name)


@lru_cache(maxsize=256)
def _address(name: str) -> str:
    return static("dist/") + _built()[name]


def icon(name: str, extra: str = "") -> Markup:
    """A decorative icon of frontend/src/icons.json; what it means must stand beside it in words."""
    return _drawn(name, extra, asset("icons"))


@lru_cache(maxsize=1024)
def _drawn(name: str, extra: str, sheet: str) -> Markup:
    return Markup('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>').format(extra, sheet, name)
