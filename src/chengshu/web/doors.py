"""Whether a post may open a page, asked of the page's own view: no link shall lead to a refusal."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.urls import resolve, reverse

from chengshu.cases.catalog import catalog
from chengshu.parties.principal import Principal


def opens(principal: Principal, route: str) -> bool:
    """Whether a route without arguments answers to this post."""
    view = _view(route)
    if getattr(view, "account", False) and principal.account is None:
        return False
    roles = getattr(view, "access", None)
    if roles is not None and principal.role not in roles:
        return False
    return not getattr(view, "whole_city", False) or principal.division == catalog(principal.city).root


@cache
def _view(route: str) -> Callable[..., Any]:
    return resolve(reverse(route)).func
