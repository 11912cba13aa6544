"""Files that came with a form."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from chengshu.cases import evidence
from chengshu.cases.catalog import Catalog
from chengshu.core.errors import Invalid
from chengshu.web.pages import Request

MOST = 6  # files in one form


def uploaded(request: Request, catalog: Catalog, *, account: int | None, name: str = "evidence") -> tuple[UUID, ...]:
    """Keep the files of a form; their ids, for a report or a move to name.

    Args:
        catalog: of the case's city, in whose zone the times in pictures are meant.
        account: of whoever makes the report or move; a file counts for its sender's steps only.

    Raises:
        Invalid: too many, or one that is no evidence; nothing of the form is used then.
    """
    files = request.FILES.getlist(name)
    if len(files) > MOST:
        raise Invalid(
            _("%(count)d files were sent.") % {"count": len(files)},
            where=name,
            remedy=_("Send %(most)d at most; more can follow later.") % {"most": MOST},
        )
    zone = catalog.city.timezone
    contents = [(file.read(evidence.LARGEST + 1), file.name or "") for file in files]
    return tuple(evidence.store(content, name=name, account=account, zone=zone).pk for content, name in contents)
