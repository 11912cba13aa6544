"""Which cases somebody without an account may follow in this session, having shown number and word once."""

from __future__ import annotations

from uuid import UUID

from chengshu.cases.catalog import catalog
from chengshu.parties.access import anybody
from chengshu.parties.principal import Principal
from chengshu.web.pages import Request, signed_in

MOST = 50  # cases remembered in one session


def remember(request: Request, case: UUID, city: int) -> None:
    """Let this session follow a case."""
    known = {**request.session.get("followed", {}), str(case): city}
    request.session["followed"] = dict(list(known.items())[-MOST:])


def reporter(request: Request, case: UUID) -> Principal | None:
    """The proven reporter of a case, if this session showed its word and nobody is signed in."""
    city = request.session.get("followed", {}).get(str(case))
    if city is None or signed_in(request):
        return None
    return anybody(city=city, root=catalog(city).root, language=request.principal.language, proven=True)
