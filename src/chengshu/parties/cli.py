"""The command `chengshu user`: accounts, passwords, posts and API tokens, for whoever keeps the machine."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from rich.console import Console
from rich.table import Table

from chengshu.core.errors import Conflict, Invalid, NotFound
from chengshu.parties import audit, staff, tokens
from chengshu.parties.models import Account, Department, Post
from chengshu.parties.roles import LABELS, Role
from chengshu.places.models import City, Division
from chengshu.places.tree import division_by_code, root_division

app = typer.Typer(no_args_is_help=True, help=_("Create accounts, passwords, posts and API tokens."))

Username = Annotated[str, typer.Argument(help=_("The login."))]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help=_("Read the password from the standard input."))]
CityName = Annotated[str, typer.Option("--city", help=_("A loaded city, such as hangzhou."))]
DivisionCode = Annotated[str, typer.Option("--division", help=_("Its jurisdiction; without it the whole city."))]
DepartmentCode = Annotated[str, typer.Option("--department", help=_("The department it belongs to."))]


@app.command(help=_("Create an account. It may do nothing until it is given a post."))
def create(
    username: Username,
    name: Annotated[str, typer.Option(help=_("The name that people see; without it the login."))] = "",
    language: Annotated[str, typer.Option(help=_("zh-hans or en."))] = "zh-hans",
    city: Annotated[
        str, typer.Option(help=_("The city whose administrators see it before it has a post; may be left out for one."))
    ] = "",
    password_stdin: PasswordStdin = False,
) -> None:
    """Create an account. It may do nothing until it is given a post."""
    if Account.objects.filter(username=username).exists():
        what = _("The account {username} exists already.").format(username=username)
        raise Conflict(what, where=username, remedy=_("Choose another login, or give this one a post."))
    account = Account(username=username, name=name or username, language=language, city=_home(city))
    account.set_password(_new_password(account, password_stdin))
    with transaction.atomic():
        account.save()
        audit.record("user.created", username=username)
    typer.echo(_("{username} is created.").format(username=username))


@app.command(help=_("Set a new password; sessions, tokens, passkeys and links to single sign-on of the account end."))
def password(username: Username, password_stdin: PasswordStdin = False) -> None:
    """Set a new password; sessions, tokens, passkeys and links to single sign-on of the account end."""
    account = _account(username)
    word = _new_password(account, password_stdin)
    with transaction.atomic():
        ended = staff.without_password(account)
        account.set_password(word)
        account.save(update_fields=["password"])
        audit.record("user.password_set", username=username, tokens=ended)
    typer.echo(_("{username} has a new password.").format(username=username))


@app.command("remove-factors", help=_("Remove second factors and passkeys of somebody who has lost them."))
def remove_factors(username: Username) -> None:
    """Remove second factors and passkeys of somebody who has lost them; their password alone opens the account again."""
    staff.remove_factors(_account(username))
    typer.echo(_("{username} signs in with the password alone.").format(username=username))


@app.command(
    help=_("Give an account a post: a role in a department for a jurisdiction. The same post again changes its end.")
)
def post(
    username: Username,
    role: Annotated[Role, typer.Argument(help=_("What it acts as."))],
    city: CityName,
    division: DivisionCode = "",
    department: DepartmentCode = "",
    until: Annotated[str, typer.Option(help=_("The first day on which it no longer holds, such as 2027-01-01."))] = "",
) -> None:
    """Give an account a post: a role in a department for a jurisdiction. The same post again changes its end."""
    place = _place(_city(city), division)
    office = _department(_city(city), department)
    _check_post(role, office)
    account, ends = _account(username), {"valid_to": _day(until)}
    with transaction.atomic():
        given, _created = Post.objects.update_or_create(
            account=account, role=role.value, department=office, division=place, defaults=ends
        )
        audit.record("user.post_given", username=username, post=given.pk, role=role.value, until=until)
    typer.echo(_("{username} holds the post {id}.").format(username=username, id=given.pk))


@app.command(help=_("Make an API token, which is shown this once."))
def token(
    username: Username,
    name: Annotated[str, typer.Option(help=_("What the token is for."))],
    post: Annotated[int, typer.Option(help=_("The post it acts as (`chengshu user list`); needed with several."))] = 0,
    days: Annotated[int, typer.Option(help=_("How long it works; 0 is without end."), min=0)] = 365,
) -> None:
    """Make an API token, which is shown this once."""
    chosen = _post(username, post)
    with transaction.atomic():
        word = tokens.issue(chosen, name, datetime.now(UTC) + timedelta(days=days) if days else None)
        audit.record("user.token_made", username=username, post=chosen.pk, name=name)
    typer.echo(word)


@app.command("list", help=_("Show accounts with their posts."))
def list_accounts(city: Annotated[str, typer.Option(help=_("Only those with a post in this city."))] = "") -> None:
    """Show accounts with their posts."""
    posts = Post.objects.select_related("account", "department", "division__city").order_by("account__username", "pk")
    if city:
        posts = posts.filter(division__city=_city(city))
    table = Table(_("Account"), _("Name"), _("Post"), _("Role"), _("Department"), _("Jurisdiction"), _("Until"))
    for p in posts:
        table.add_row(
            p.account.username,
            p.account.name,
            str(p.pk),
            str(LABELS[Role(p.role)]),
            p.department.name if p.department else "",
            f"{p.division.city.name} {p.division.name}",
            str(p.valid_to or ""),
        )
    if not city:
        for account in Account.objects.filter(posts=None).order_by("username"):
            table.add_row(account.username, account.name)
    Console().print(table)


def _new_password(account: Account, from_stdin: bool) -> str:
    """A password that the validators take, asked for twice or read from the standard input."""
    if from_stdin:
        word = sys.stdin.readline().rstrip("\n")
    else:
        word = typer.prompt(_("Password"), hide_input=True, confirmation_prompt=True)
    try:
        validate_password(word, account)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), where=account.username, remedy=_("Choose a longer phrase.")) from error
    return str(word)


def _account(username: str) -> Account:
    account = Account.objects.filter(username=username).first()
    if account is None:
        remedy = _("Create it with `chengshu user create`.")
        raise NotFound(_("There is no such account."), where=username, remedy=remedy)
    return account


def _city(name: str) -> City:
    city = City.objects.filter(name=name).first()
    if city is None:
        known = ", ".join(City.objects.values_list("name", flat=True).order_by("name")) or "–"
        remedy = _("Loaded are: {cities}.").format(cities=known)
        raise NotFound(_("There is no such city."), where=name, remedy=remedy)
    return city


def _home(name: str) -> City | None:
    """The city of that name, else the only one."""
    cities = list(City.objects.all()[:2])
    return _city(name) if name else cities[0] if len(cities) == 1 else None


def _place(city: City, code: str) -> Division:
    if code:
        return division_by_code(city.pk, code, datetime.now(UTC).date())
    return Division.objects.get(pk=root_division(city.pk))


def _department(city: City, code: str) -> Department | None:
    if not code:
        return None
    found = Department.objects.filter(city=city, code=code, active=True).first()
    if found is None:
        raise NotFound(_("There is no such department."), where=code, remedy=_("Use a code of the city's departments."))
    return found


def _check_post(role: Role, department: Department | None) -> None:
    if role is Role.SYSTEM:
        remedy = _("Choose a role that people hold.")
        raise Invalid(_("Only the platform itself acts as the system."), where=role, remedy=remedy)
    if role is Role.HANDLER and department is None:
        remedy = _("Name the department that handles, with --department.")
        raise Invalid(_("A handler belongs to a department."), where=role, remedy=remedy)


def _post(username: str, pk: int) -> Post:
    """The post that is named, or the only one."""
    posts = list(Post.objects.filter(account=_account(username)).order_by("pk"))
    chosen = [p for p in posts if p.pk == pk] if pk else posts
    if len(chosen) != 1:
        held = ", ".join(f"{p.pk} ({p.role})" for p in posts) or "–"
        remedy = _("Name one with --post: {posts}.").format(posts=held)
        raise Invalid(_("It is not clear which post is meant."), where=username, remedy=remedy)
    return chosen[0]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid(_("This is no date."), where=text, remedy=_("Write it as 2027-01-01.")) from error
