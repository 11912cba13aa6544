"""The built front end: names with their digests, read from the manifest that the build writes."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.templatetags.static import static
from markupsafe import Markup

from chengshu.core.errors import CannotStart

DIST = Path(__file__).parent / "static" / "dist"


@lru_cache(maxsize=1)
def _manifest() -> dict[str, dict[str, Any]]:
    return dict(json.loads(_read("manifest.json")))


def _read(name: str) -> bytes:
    try:
        return (DIST / name).read_bytes()
    except FileNotFoundError as error:
        raise CannotStart("The front end is not built.", where=str(DIST), remedy="Run `make assets`.") from error


@lru_cache(maxsize=1)
def _built() -> dict[str, str]:
    found = {"icons": _numbered("icons.svg")}
    found |= {name: _numbered(name) for name in sorted(f"app/{path.name}" for path in (DIST / "app").glob("*.png"))}
    for entry in (entry for entry in _manifest().values() if entry.get("isEntry")):
        found[f"{entry['name']}.script"] = entry["file"]
        found.update({f"{entry['name']}.style": style for style in entry.get("css", ())[:1]})
    return found


def _numbered(name: str) -> str:
    """A file whose name never changes, with the digest of what it holds."""
    return f"{name}?v={hashlib.sha256(_read(name)).hexdigest()[:12]}"


def files(*names: str) -> list[str]:
    """The addresses of all scripts and styles that these entries load at once, themselves included."""
    found: dict[str, list[str]] = {}
    wanted = [key for key, entry in _manifest().items() if entry.get("isEntry") and entry["name"] in names]
    while wanted:
        key = wanted.pop()
        if key not in found:
            found[key] = [_manifest()[key]["file"], *_manifest()[key].get("css", ())]
            wanted += _manifest()[key].get("imports", ())
    return sorted({static("dist/") + name for names in found.values() for name in names})


def source(name: str) -> str:
    """The text of a built file."""
    return _read(name).decode()


def asset(name: str) -> str:
    """The address of `main.script`, `main.style`, those of a room such as `desk.script`, `icons`, or an icon of the app."""
    if settings.DEBUG:
        _manifest.cache_clear()
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
