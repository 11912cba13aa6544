"""A city pack that an administrator sends in: kept, planned, and applied with a reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.utils.translation import gettext as _

from chengshu.cases import catalog
from chengshu.core.errors import Conflict, NotFound
from chengshu.packs import archive, revisions
from chengshu.packs.apply import apply
from chengshu.packs.current import current
from chengshu.packs.editing import check_why, editor
from chengshu.packs.living import read_living
from chengshu.packs.models import Revision, Upload
from chengshu.packs.plan import Plan, make_plan
from chengshu.packs.read import read_pack
from chengshu.packs.records import Pack
from chengshu.packs.revisions import Author
from chengshu.parties import audit
from chengshu.parties.models import Account
from chengshu.parties.principal import Principal

KEPT = timedelta(days=7)  # for which what was sent in waits to be applied


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A pack that was sent in with its plan; `people` tells that it names accounts, which are left as they are."""

    upload: Upload
    pack: Pack
    plan: Plan
    people: bool


def keep(principal: Principal, name: str, content: bytes) -> Upload:
    """Keep a zip that is a pack of this city without mistakes.

    Raises:
        Mistakes: everything that is wrong in its files.
        Invalid: it is no zip of a pack.
        Conflict: it is another city's.
    """
    city = editor(principal)
    with archive.opened(content, city.name) as folder:
        read_pack(folder)
    Upload.objects.filter(city=city, at__lt=datetime.now(UTC) - KEPT).delete()
    sender = Account.objects.get(username=principal.username)
    upload = Upload.objects.create(city=city, account=sender, name=name[:200], content=content)
    audit.record("pack.uploaded", principal, upload=upload.pk, name=upload.name, bytes=len(content))
    return upload


def sent(principal: Principal, number: int) -> Sent:
    """What a pack that was sent in would change now.

    Raises:
        NotFound: there is none under this number.
    """
    city = editor(principal)
    upload = Upload.objects.filter(city=city, pk=number).select_related("account").first()
    if upload is None:
        raise NotFound(_("This pack is not here any more."), where=str(number), remedy=_("Send it in again."))
    with archive.opened(bytes(upload.content), city.name) as folder:
        pack = read_pack(folder)
    people = bool(pack.accounts or pack.posts)
    pack = _without_people(pack)
    plan = make_plan(pack, read_living(pack), overwrite_edited=True)
    return Sent(upload=upload, pack=pack, plan=plan, people=people)


def _without_people(pack: Pack) -> Pack:
    """Accounts and posts are given on their own page, with its second pair of eyes: never by a file."""
    here, _living = current(pack.name)
    return replace(pack, accounts=here.accounts, posts=here.posts)


def carry_out(principal: Principal, found: Sent, *, why: str, version: int) -> Revision | None:
    """Apply what was sent in, as its plan said.

    Args:
        version: of the city when the plan was read; Conflict when it has changed since.
    """
    check_why(why)
    if found.plan.version != version:
        raise Conflict(
            _("The city was changed while you looked at the plan."),
            where=found.pack.name,
            remedy=_("Read the new plan, then apply it."),
        )
    author = Author.of(principal, why, revisions.UPLOAD)
    revision = apply(found.pack, found.plan, overwrite_edited=True, author=author)
    found.upload.delete()
    catalog.forget()
    return revision
