"""The Jinja2 environment of the pages: translations, links, icons, and words for times, limits and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import translation
from jinja2 import Environment, StrictUndefined

from chengshu.parties.roles import Role
from chengshu.web import assets, doors, words


def address(name: str, args: Sequence[object] = (), kwargs: Mapping[str, object] | None = None) -> str:
    """The address of a route; those without arguments are the same every time."""
    return reverse(name, args=args or None, kwargs=dict(kwargs) if kwargs else None) if args or kwargs else _fixed(name)


@lru_cache(maxsize=512)
def _fixed(name: str) -> str:
    return reverse(name)


def environment(**options: Any) -> Environment:
    """Django's backend calls this once; autoescape is on by its default. A name that a page does not know is an error."""
    env = Environment(  # noqa: S701 - in options, set by Django
        **{**options, "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True},
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    env.install_gettext_callables(translation.gettext, translation.ngettext, newstyle=True)  # type: ignore[attr-defined]
    env.globals.update(
        asset=assets.asset,
        get_messages=get_messages,
        icon=assets.icon,
        language=words.language,
        languages=words.languages,
        local=words.local,
        onsite=words.onsite,
        opens=doors.opens,
        role_codes=[role.value for role in Role],
        url=address,
        when=words.when,
    )
    env.filters.update(
        day=words.day,
        door=words.door,
        duration=words.duration,
        event=words.event,
        field=words.field,
        instant=words.instant,
        limit=words.limit,
        moment=words.moment,
        notice=words.notice,
        origin=words.origin,
        percent=words.percent,
        role=words.role,
        severity=words.severity,
        size=words.size,
        span=words.span,
        stage=words.stage,
    )
    return env
