"""Photos that came with a form which is shown again: kept here, so that nobody has to choose them twice."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.core import signing
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid
from chengshu.parties import throttle
from chengshu.parties.throttle import TooMany
from chengshu.web.forms import Form
from chengshu.web.pages import Request, known, text
from chengshu.web.uploads import MOST, uploaded

SALT = "chengshu.web.report.photos"
VALID = 24 * 3600  # seconds for which a form may be filled in; files that no case has are dropped after a day


@dataclass(frozen=True, kw_only=True, slots=True)
class Photos:
    """Files of a form that are stored already, by id."""

    ids: tuple[UUID, ...]

    @property
    def signed(self) -> str:
        """For the hidden field that brings them back; empty for none."""
        return signing.dumps([id.hex for id in self.ids], salt=SALT) if self.ids else ""


def kept(request: Request) -> Photos:
    """The files that the form had brought before."""
    try:
        found = signing.loads(text(request, "kept", 2_000), salt=SALT, max_age=VALID)
    except signing.BadSignature:
        return Photos(ids=())
    return Photos(ids=tuple(map(UUID, found)))


def received(request: Request) -> Photos:
    """The files kept before and those that come now.

    Raises:
        Invalid: too many, or one that is no evidence.
        TooMany: this person, or this address, sent enough of them in this hour.
    """
    before = kept(request)
    if not request.FILES:
        return before
    throttle.count(request.principal, request.client, own=throttle.EVIDENCE, here=throttle.EVIDENCE_HERE)
    if before.ids and len(before.ids) + len(request.FILES.getlist("evidence")) > MOST:
        raise Invalid(
            _("%(count)d files were kept already.") % {"count": len(before.ids)},
            where="evidence",
            remedy=_("Send %(most)d at most; more can follow later.") % {"most": MOST},
        )
    return Photos(ids=(*before.ids, *uploaded(request, known(request), account=request.principal.account)))


def keep_photos(request: Request, form: Form) -> Photos:
    """As `received`, for a form that has other mistakes: a file that cannot be kept is one more."""
    try:
        return received(request)
    except (Invalid, TooMany) as error:
        form.errors["evidence"] = f"{_(error.what)} {_(error.remedy)}"
        return kept(request)
