"""Traces of acts on the system itself. Append-only."""

from __future__ import annotations

from chengshu.parties.models import Audit
from chengshu.parties.principal import Principal


def record(action: str, principal: Principal | None = None, **facts: object) -> None:
    """Note an act such as `login.done`, `post.chosen`, `rules.saved`, by whom it is known to be done."""
    Audit.objects.create(
        account_id=principal.account if principal else None,
        post_id=principal.post if principal else None,
        action=action,
        facts=facts,
    )
