"""Accounts and posts in the hands of an administrator. Nothing is deleted; every act has a reason and a trace.

Nobody gives themself a post, nor makes another an administrator alone where there is a second one: who agrees must be neither
the person who asks, nor the one the post is for, nor somebody whose account or post the asker made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from chengshu.cases import catalog
from chengshu.core.errors import Conflict, Invalid, NotAllowed, NotFound
from chengshu.packs.editing import check_why, editor
from chengshu.packs.models import Proposal
from chengshu.parties import audit, notices, staff
from chengshu.parties.models import Account, Audit, Department, Notice, Post
from chengshu.parties.notices import Told
from chengshu.parties.principal import Principal
from chengshu.parties.roles import STAFF, Role
from chengshu.places.models import City, Division
from chengshu.places.tree import division_by_code

NOTICE = "administration"  # the kind of the notices that administrators get of each other's acts
WORDS_REMEMBERED = timedelta(days=30)  # by then the owner of an account has seen that somebody else chose its password


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPost:
    """A post to be given: role, department (may be empty), jurisdiction, and the days on which it begins and has ended."""

    role: str
    department: str = ""
    division: str = ""
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A post that waits, and who asked for it."""

    proposal: Proposal
    by: Account


def find(principal: Principal, username: str) -> Account:
    """An account that this administrator may look at.

    Raises:
        NotFound: there is none, or it is none of this city's staff.
    """
    account = staff.of_city(editor(principal)).filter(username=username).first()
    if account is None:
        raise _nobody(username)
    return account


def _nobody(username: str) -> NotFound:
    return NotFound(_("There is no such account in this city."), where=username, remedy=_("Look for it in the list."))


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
    account = Account(username=username, name=name, language=language, city=city)
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
def remove_factors(principal: Principal, account: Account, *, why: str) -> None:
    """Remove the second factors and passkeys of somebody who has lost them: the password alone opens the account again."""
    city = _mine(principal, account)
    check_why(why)
    staff.remove_factors(account, principal, why=why.strip())
    _tell(city, principal, account, _("The second factors of {name} ({username}) were removed"))


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
    """Open a closed account again; its owner chooses a new password with the word.

    Raises:
        Conflict: it is open. A word for it is a reset, which ends its sessions and is told as one.
    """
    city = _mine(principal, account)
    check_why(why)
    if account.is_active:
        raise Conflict(
            _("This account is open already."), where=account.username, remedy=_("Reset the password if it is lost.")
        )
    account.is_active = True
    account.save(update_fields=["is_active"])
    audit.record("account.opened_again", principal, username=account.username, why=why.strip())
    _tell(city, principal, account, _("The account {name} ({username}) was opened again"))
    return staff.first_word(account)


@transaction.atomic
def give_post(principal: Principal, account: Account, new: NewPost, *, why: str) -> Post | Proposal:
    """Give a post, or ask for it: for oneself always, for a new administrator where there is another one who can agree.

    Raises:
        Invalid: the role is nobody's, a handler has no department, or the days are the wrong way round.
        Conflict: there is no other administrator who could agree.
    """
    city = editor(principal)
    check_why(why)
    _belongs(city, account)
    department, division = _checked(city, new)
    others = staff.administrators(city, besides=principal.account)
    if account.pk == principal.account or (new.role == Role.ADMINISTRATOR and others):
        return _ask(principal, city, account, new, department, division, why.strip())
    return _give(principal, city, account, new, department, division, why.strip())


@transaction.atomic
def end_post(principal: Principal, post: Post, *, last: date | None, why: str) -> None:
    """End a post on a day (today): it is no longer held from that day on, and stays written.

    Raises:
        Conflict: it has ended, would end later than now (which is giving it anew), or the city's last administrator goes.
    """
    city = editor(principal)
    check_why(why)
    if post.division.city_id != city.pk:
        raise NotFound(_("There is no such post in this city."), where=str(post.pk))
    _another_remains(city, post.account if post.role == Role.ADMINISTRATOR else None)
    post.refresh_from_db(fields=["valid_to"])
    end = last or staff.today(city)
    if post.valid_to is not None and (post.valid_to <= staff.today(city) or end > post.valid_to):
        raise Conflict(
            _("This post ends on {day}: ending it cannot make it longer.").format(day=post.valid_to),
            where=post.account.username,
            remedy=_("To prolong it, give the post again."),
        )
    post.valid_to = end
    post.save(update_fields=["valid_to"])
    audit.record("post.ended", principal, **staff.post_facts(post), why=why.strip())
    _tell(city, principal, post.account, _("A post of {name} ({username}) was ended"))


def waiting(city: City) -> list[Asked]:
    """The posts that wait for a second administrator, each with who asked."""
    open_ones = Proposal.objects.filter(city=city, agreed=None)
    return [_asked(p) for p in open_ones.select_related("account", "department", "division").order_by("pk")]


def _asked(proposal: Proposal) -> Asked:
    """Who asked is told by the trace that was written with the proposal."""
    trace = Audit.objects.filter(action="post.asked_for", facts__proposal=proposal.pk).select_related("account").first()
    return Asked(proposal=proposal, by=trace.account if trace and trace.account else proposal.account)


def may_agree(asked: Asked, account: int) -> bool:
    """Whether somebody is a second pair of eyes for what was asked."""
    return account not in {asked.by.pk, asked.proposal.account_id} and not _made_by(account, asked.by.pk)


def _made_by(account: int, maker: int) -> bool:
    """Whether `maker` could act as `account` (they held a word for its password), or alone made an administrator of it."""
    username = Account.objects.values_list("username", flat=True).get(pk=account)
    again = Q(action__in=("account.password_reset", "account.opened_again"))
    again &= Q(at__gt=datetime.now(UTC) - WORDS_REMEMBERED)
    given = Q(action="post.given", facts__role=Role.ADMINISTRATOR.value) & ~Q(facts__has_key="proposal")
    made = Audit.objects.filter(Q(action="account.made") | again | given, account=maker, facts__username=username)
    return made.exists()


@transaction.atomic
def decide(principal: Principal, number: int, *, agree: bool) -> Proposal:
    """Agree to a post that another administrator asked for, or refuse it; who asked for another may take it back.

    Raises:
        NotAllowed: it is one's own; or agreeing, one asked for it, or the asker made one's account or post.
        NotFound: it was decided already.
    """
    city = editor(principal)
    asked = Proposal.objects.select_for_update().filter(pk=number, city=city, agreed=None).first()
    if asked is None or principal.account is None:
        raise NotFound(_("Nothing waits under this number."), where=str(number), remedy=_("Look at the list again."))
    if asked.account_id == principal.account or (agree and not may_agree(_asked(asked), principal.account)):
        raise NotAllowed(
            _("You asked for this post yourself, it is for you, or who asks made your account or your post."),
            remedy=_("Another administrator has to agree."),
        )
    asked.decided_by_id, asked.decided_at, asked.agreed = principal.account, datetime.now(UTC), agree
    asked.save()
    if agree:
        new = NewPost(role=asked.role, valid_from=asked.valid_from, valid_to=asked.valid_to)
        _give(principal, city, asked.account, new, asked.department, asked.division, asked.why, proposal=asked.pk)
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
    asker = principal.account or 0
    others = {other.pk for other in staff.administrators(city, besides=account.pk)} - {asker}
    if all(_made_by(other, asker) for other in others):
        raise Conflict(
            _(
                "This post needs a second administrator's consent, and there is none whose account or post you did not make."
            ),
            where=account.username,
            remedy=_(
                "Let another administrator ask for it and agree yourself, or use `chengshu user post` on the server."
            ),
        )
    asked = Proposal.objects.create(
        city=city, account=account, role=new.role, department=department, division=division,
        valid_from=new.valid_from, valid_to=new.valid_to, why=why,
    )  # fmt: skip
    audit.record("post.asked_for", principal, username=account.username, role=new.role, why=why, proposal=asked.pk)
    _tell(city, principal, account, _("A post was asked for {name} ({username}): please decide"))
    return asked


def _give(
    principal: Principal, city: City, account: Account, new: NewPost, department: Department | None, division: Division,
    why: str, **facts: int,
) -> Post:  # fmt: skip
    days = {"valid_from": new.valid_from, "valid_to": new.valid_to}
    post, _created = Post.objects.update_or_create(
        account=account, role=new.role, department=department, division=division, defaults=days
    )
    audit.record("post.given", principal, **staff.post_facts(post), why=why, **facts)
    _tell(city, principal, account, _("{name} ({username}) was given a post"))
    return post


def _mine(principal: Principal, account: Account) -> City:
    """The city, when all of an account's posts lie in it: nobody reaches into another city through a shared account."""
    city = editor(principal)
    if account.pk == principal.account:
        raise NotAllowed(_("This is your own account."), remedy=_("Use the page of your account."))
    _belongs(city, account)
    others = Post.objects.filter(account=account, role__in=STAFF).exclude(division__city=city)
    if others.exists():
        raise NotAllowed(
            _("This account also holds posts in another city."),
            where=account.username,
            remedy=_("You may give and end its posts here; the rest is done on the server."),
        )
    return city


def _belongs(city: City, account: Account) -> None:
    """Raise NotFound for an account that is none of the city's."""
    if not staff.of_city(city).filter(pk=account.pk).exists():
        raise _nobody(account.username)


def _another_remains(city: City, account: Account | None) -> None:
    """Whoever ends posts or closes accounts waits here for each other, so that two cannot each remove the other."""
    City.objects.select_for_update().get(pk=city.pk)
    if account is None:
        return
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
