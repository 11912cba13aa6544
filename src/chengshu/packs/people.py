"""Accounts and posts in the hands of an administrator. Nothing is deleted; every act has a reason and a trace.

Nobody gives themself a post: another administrator of the city has to agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from chengshu.cases import catalog
from chengshu.core.errors import Conflict, Invalid, NotAllowed, NotFound
from chengshu.packs.editing import check_why, editor
from chengshu.packs.models import Proposal
from chengshu.parties import audit, notices, staff
from chengshu.parties.models import Account, Department, Notice, Post
from chengshu.parties.notices import Told
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF, Role
from chengshu.places.models import City, Division
from chengshu.places.tree import division_by_code

NOTICE = "administration"  # the kind of the notices that administrators get of each other's acts


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPost:
    """A post to be given: role, department (may be empty), jurisdiction, and the days on which it begins and has ended."""

    role: str
    department: str = ""
    division: str = ""
    valid_from: date | None = None
    valid_to: date | None = None


def find(principal: Principal, username: str) -> Account:
    """An account that this administrator may look at.

    Raises:
        NotFound: there is none, or it is none of this city's staff.
    """
    account = staff.of_city(editor(principal)).filter(username=username).first()
    if account is None:
        raise NotFound(
            _("There is no such account in this city."), where=username, remedy=_("Look for it in the list.")
        )
    return account


@transaction.atomic
def make_account(principal: Principal, *, username: str, name: str, language: str, why: str) -> tuple[Account, str]:
    """A new account without a post or a password; with it the word by which its owner chooses one, once.

    Raises:
        Conflict: the login is taken.
    """
    city = editor(principal)
    check_why(why)
    if Account.objects.filter(username__iexact=username).exists():
        raise Conflict(
            _("This login is taken."), where=username, remedy=_("Choose another, or look for the account in the list.")
        )
    account = Account(username=username, name=name, language=language)
    account.set_unusable_password()
    account.save()
    audit.record("account.made", principal, username=username, why=why.strip())
    _tell(city, principal, account, _("A new account: {name} ({username})"))
    return account, staff.first_word(account)


@transaction.atomic
def reset_password(principal: Principal, account: Account, *, why: str) -> str:
    """Take the password away; the word by which the owner chooses another, once. Sessions and tokens end."""
    city = _mine(principal, account)
    check_why(why)
    ended = staff.without_password(account)
    audit.record("account.password_reset", principal, username=account.username, why=why.strip(), tokens=ended)
    _tell(city, principal, account, _("The password of {name} ({username}) was reset"))
    return staff.first_word(account)


@transaction.atomic
def close_account(principal: Principal, account: Account, *, why: str) -> None:
    """Nobody signs in with it any more; its posts stay written, its tokens end."""
    city = _mine(principal, account)
    check_why(why)
    _another_remains(city, account)
    account.is_active = False
    account.save(update_fields=["is_active"])
    ended = staff.without_password(account)
    audit.record("account.closed", principal, username=account.username, why=why.strip(), tokens=ended)
    _tell(city, principal, account, _("The account {name} ({username}) was closed"))


@transaction.atomic
def open_account(principal: Principal, account: Account, *, why: str) -> str:
    """Open a closed account again; its owner chooses a new password with the word."""
    city = _mine(principal, account)
    check_why(why)
    account.is_active = True
    account.save(update_fields=["is_active"])
    audit.record("account.opened_again", principal, username=account.username, why=why.strip())
    _tell(city, principal, account, _("The account {name} ({username}) was opened again"))
    return staff.first_word(account)


@transaction.atomic
def give_post(principal: Principal, account: Account, new: NewPost, *, why: str) -> Post | Proposal:
    """Give a post, or ask for it where an administrator wants one for themself.

    Raises:
        Invalid: the role is nobody's, a handler has no department, or the days are the wrong way round.
        Conflict: there is no other administrator who could agree.
    """
    city = editor(principal)
    check_why(why)
    department, division = _checked(city, new)
    if account.pk == principal.account:
        return _ask(principal, city, account, new, department, division, why.strip())
    return _give(principal, city, account, new, department, division, why.strip())


@transaction.atomic
def end_post(principal: Principal, post: Post, *, last: date | None, why: str) -> None:
    """End a post on a day (today): it is no longer held from that day on, and stays written."""
    city = editor(principal)
    check_why(why)
    if post.division.city_id != city.pk:
        raise NotFound(_("There is no such post in this city."), where=str(post.pk))
    if post.role == Role.ADMINISTRATOR:
        _another_remains(city, post.account)
    post.valid_to = last or staff.today(city)
    post.save(update_fields=["valid_to"])
    audit.record("post.ended", principal, **staff.post_facts(post), why=why.strip())
    _tell(city, principal, post.account, _("A post of {name} ({username}) was ended"))


def waiting(city: City) -> list[Proposal]:
    """The posts that wait for a second administrator."""
    open_ones = Proposal.objects.filter(city=city, agreed=None)
    return list(open_ones.select_related("account", "department", "division").order_by("pk"))


@transaction.atomic
def decide(principal: Principal, number: int, *, agree: bool) -> Proposal:
    """Agree to a post that another administrator asked for, or refuse it.

    Raises:
        NotAllowed: it is one's own.
        NotFound: it was decided already.
    """
    city = editor(principal)
    asked = Proposal.objects.select_for_update().filter(pk=number, city=city, agreed=None).first()
    if asked is None:
        raise NotFound(_("Nothing waits under this number."), where=str(number), remedy=_("Look at the list again."))
    if asked.account_id == principal.account:
        raise NotAllowed(_("You asked for this post yourself."), remedy=_("Another administrator has to agree."))
    asked.decided_by_id, asked.decided_at, asked.agreed = principal.account, datetime.now(UTC), agree
    asked.save()
    if agree:
        new = NewPost(role=asked.role, valid_from=asked.valid_from, valid_to=asked.valid_to)
        _give(principal, city, asked.account, new, asked.department, asked.division, asked.why)
    else:
        audit.record("post.refused", principal, username=asked.account.username, role=asked.role, why=asked.why)
    return asked


def _checked(city: City, new: NewPost) -> tuple[Department | None, Division]:
    if new.role not in STAFF:
        raise Invalid(_("Choose a role."), where="role", remedy=_("Citizens open their accounts themselves."))
    department = None
    if new.department:
        department = Department.objects.filter(city=city, code=new.department, active=True).first()
        if department is None:
            raise Invalid(_("There is no such department."), where="department", remedy=_("Choose one of the list."))
    if new.role == Role.HANDLER and department is None:
        raise Invalid(_("A handler belongs to a department."), where="department", remedy=_("Choose the department."))
    if new.valid_to is not None and new.valid_to <= (new.valid_from or staff.today(city)):
        raise Invalid(
            _("The post would end before it begins."), where="valid_to", remedy=_("Give a later day, or none.")
        )
    return department, _division(city, new, department)


def _division(city: City, new: NewPost, department: Department | None) -> Division:
    if new.division:
        try:
            return division_by_code(city.pk, new.division, staff.today(city))
        except NotFound as error:
            raise Invalid(
                _("There is no such division."), where="division", remedy=_("Use a code of the city's divisions.")
            ) from error
    return department.division if department else Division.objects.get(pk=catalog.catalog(city.pk).root)


def _ask(
    principal: Principal, city: City, account: Account, new: NewPost, department: Department | None, division: Division,
    why: str,
) -> Proposal:  # fmt: skip
    others = staff.administrators(city, besides=account.pk)
    if not others:
        raise Conflict(
            _("Nobody gives themself a post, and this city has no other administrator who could agree."),
            where=account.username,
            remedy=_("Make a second administrator first, or use `chengshu user post` on the server."),
        )
    asked = Proposal.objects.create(
        city=city, account=account, role=new.role, department=department, division=division,
        valid_from=new.valid_from, valid_to=new.valid_to, why=why,
    )  # fmt: skip
    audit.record("post.asked_for", principal, username=account.username, role=new.role, why=why)
    _tell(city, principal, account, _("{name} ({username}) asks for a post: please decide"))
    return asked


def _give(
    principal: Principal, city: City, account: Account, new: NewPost, department: Department | None, division: Division,
    why: str,
) -> Post:  # fmt: skip
    days = {"valid_from": new.valid_from, "valid_to": new.valid_to}
    post, _created = Post.objects.update_or_create(
        account=account, role=new.role, department=department, division=division, defaults=days
    )
    audit.record("post.given", principal, **staff.post_facts(post), why=why)
    _tell(city, principal, account, _("{name} ({username}) was given a post"))
    return post


def _mine(principal: Principal, account: Account) -> City:
    """The city, when all of an account's posts lie in it: nobody reaches into another city through a shared account."""
    city = editor(principal)
    if account.pk == principal.account:
        raise NotAllowed(_("This is your own account."), remedy=_("Use the page of your account."))
    others = Post.objects.filter(account=account, role__in=STAFF).exclude(division__city=city)
    if others.exists():
        raise NotAllowed(
            _("This account also holds posts in another city."),
            where=account.username,
            remedy=_("You may give and end its posts here; the rest is done on the server."),
        )
    return city


def _another_remains(city: City, account: Account) -> None:
    others = staff.administrators(city, besides=account.pk)
    if not others and account in staff.administrators(city):
        raise Conflict(
            _("The city would have no administrator left."),
            where=account.username,
            remedy=_("Give another account the post of administrator first."),
        )


def _tell(city: City, principal: Principal, account: Account, sentence: str) -> None:
    """Every other administrator is told what one of them did to an account."""
    now = datetime.now(UTC)
    title = sentence.format(name=account.name, username=account.username)
    params = {"title": title, "by": principal.username}
    zone = catalog.catalog(city.pk).zone
    told = [
        Told(
            notice=Notice(
                account=other, key=f"{NOTICE}:{now.isoformat()}:{account.pk}", kind=NOTICE, params=params, at=now
            ),
            city=city.pk,
            zone=zone,
        )
        for other in staff.administrators(city, besides=principal.account)
    ]
    notices.give(told)
