"""The audit: who did what to the system, who signed in, who read personal data and for what purpose. As pages and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.core.errors import ChengshuError
from chengshu.parties import audit, traces
from chengshu.parties.roles import Role
from chengshu.parties.traces import GROUPS, MOST, Asked, Trace
from chengshu.places.models import City
from chengshu.web.admin import frame
from chengshu.web.admin.field_words import word
from chengshu.web.admin.frame import ADMIN
from chengshu.web.pages import Request, known, page, respond, text
from chengshu.web.words import role

SIZE = 100
AUDITORS = ADMIN | {Role.LEADER}
NAMES = {
    "login": gettext_noop("Signing in"),
    "logout": gettext_noop("Signing out"),
    "password": gettext_noop("Passwords"),
    "factor": gettext_noop("Second factors"),
    "account": gettext_noop("Accounts"),
    "post": gettext_noop("Posts"),
    "token": gettext_noop("Tokens"),
    "rules": gettext_noop("Dispatch rules"),
    "pack": gettext_noop("City pack"),
    "user": gettext_noop("On the server's command line"),
    "thing": gettext_noop("Things that sense"),
}
ACTIONS = {
    "login.done": gettext_noop("signed in"),
    "login.refused": gettext_noop("was refused to sign in"),
    "logout.done": gettext_noop("signed out"),
    "password.changed": gettext_noop("changed the password"),
    "password.chosen": gettext_noop("chose a password with the first word"),
    "account.opened": gettext_noop("opened an account"),
    "account.made": gettext_noop("made an account"),
    "account.closed": gettext_noop("closed an account"),
    "account.opened_again": gettext_noop("opened an account again"),
    "account.password_reset": gettext_noop("reset a password"),
    "post.chosen": gettext_noop("changed over to a post"),
    "post.given": gettext_noop("gave a post"),
    "post.ended": gettext_noop("ended a post"),
    "post.asked_for": gettext_noop("asked for a post that needs a second administrator"),
    "post.refused": gettext_noop("refused a post that another administrator asked for"),
    "factor.removed": gettext_noop("removed second factors"),
    "token.made": gettext_noop("made a token"),
    "token.revoked": gettext_noop("revoked a token"),
    "rules.save": gettext_noop("saved the dispatch rules"),
    "pack.uploaded": gettext_noop("sent in a city pack"),
    "pack.exported": gettext_noop("took the city pack out"),
    "audit.exported": gettext_noop("took the audit out"),
    "session.ended": gettext_noop("ended sessions"),
    "channel.added": gettext_noop("added a channel"),
    "channel.verified": gettext_noop("verified a channel"),
    "channel.removed": gettext_noop("removed a channel"),
    "login.unknown": gettext_noop("was refused: single sign-on named nobody known"),
    "login.sso_failed": gettext_noop("was refused: single sign-on failed"),
    "contact.limit": gettext_noop("looked at personal data more often than is allowed"),
    "outbox.again": gettext_noop("had an event worked on again"),
    "delivery.again": gettext_noop("had a message sent again"),
    "thing.retired": gettext_noop("put a thing out of use"),
    "thing.returned": gettext_noop("put a thing into use again"),
    "thing.changed": gettext_noop("corrected a thing in the register"),
}
FACTS = {
    "by": gettext_noop("by"),
    "client": gettext_noop("address"),
    "username": gettext_noop("login"),
    "why": gettext_noop("reason"),
    "role": gettext_noop("role"),
    "name": gettext_noop("name"),
    "count": gettext_noop("how many"),
    "tokens": gettext_noop("tokens ended"),
    "post": gettext_noop("post"),
    "bytes": gettext_noop("bytes"),
    "number": gettext_noop("number"),
    "department": gettext_noop("department"),
    "division": gettext_noop("jurisdiction"),
    "kind": gettext_noop("kind"),
    "until": gettext_noop("until"),
    "thing": gettext_noop("thing"),
}
VALUES = {
    "password": gettext_noop("password"),
    "totp": gettext_noop("code of the telephone"),
    "webauthn": gettext_noop("passkey"),
    "recovery_codes": gettext_noop("recovery code"),
    "single sign-on": gettext_noop("single sign-on"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditPage:
    """One page of traces: of acts, or of readings of personal data."""

    traces: Sequence[tuple[Trace, str, str]]
    readings: bool
    asked: Asked
    groups: Sequence[tuple[str, str]]
    query: str
    before: int | None


@page(roles=AUDITORS)
@frame.whole_city
def show(request: Request) -> HttpResponse:
    """The traces that fit the filters."""
    city, asked, readings = _asked(request)
    before = text(request, "before", 18)
    read = traces.readings if readings else traces.acts
    found = read(city, asked, before=int(before) if before.isdecimal() else None, most=SIZE + 1)
    return respond(
        request,
        "admin/audit.html",
        AuditPage(
            traces=[(trace, _what(trace), _facts(trace)) for trace in found[:SIZE]],
            readings=readings,
            asked=asked,
            groups=[(name, word(NAMES, name)) for name in GROUPS],
            query=_query(asked, readings),
            before=found[SIZE - 1].number if len(found) > SIZE else None,
        ),
    )


@page(roles=AUDITORS)
@frame.whole_city
def as_csv(request: Request) -> HttpResponse:
    """The same as CSV, ten thousand lines at most; taking it out leaves a trace too."""
    city, asked, readings = _asked(request)
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow([_("Time"), _("Login"), _("Name"), _("Role"), _("What"), _("Facts")])
    for t in (traces.readings if readings else traces.acts)(city, asked, most=MOST):
        facts = json.dumps(t.facts, ensure_ascii=False)
        write.writerow([t.at.isoformat(), *map(_cell, (t.username, t.name, t.role, t.what, facts))])
    audit.record("audit.exported", request.principal, readings=readings)
    name = "readings" if readings else "audit"
    headers = {"Content-Disposition": f'attachment; filename="{name}-{city.name}.csv"'}
    return HttpResponse("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: str) -> str:
    """A spreadsheet must not take what a stranger typed for a formula."""
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t"} else value


def _asked(request: Request) -> tuple[City, Asked, bool]:
    """The city and what is looked for; a day that is none is left out."""
    catalog = known(request)
    try:
        first, last = frame.day(request, "first"), frame.day(request, "last")
    except ChengshuError:
        first = last = None
    group = text(request, "action", 20)
    asked = Asked(who=text(request, "who", 60), action=group if group in GROUPS else "", first=first, last=last)
    return catalog.city, asked, text(request, "of", 10) == "readings"


def _query(asked: Asked, readings: bool) -> str:
    values = {
        "of": "readings" if readings else "", "who": asked.who, "action": asked.action,
        "first": str(asked.first or ""), "last": str(asked.last or ""),
    }  # fmt: skip
    return urlencode({name: value for name, value in values.items() if value})


def _what(trace: Trace) -> str:
    return word(ACTIONS, trace.what)


def _facts(trace: Trace) -> str:
    """What is known of an act, short."""
    facts = {name: value for name, value in trace.facts.items() if value not in ("", None, [], {})}
    if set(facts) == {"fields", "purpose"}:
        return f"{facts['purpose']} ({', '.join(facts['fields'])})"
    own = {name: value for name, value in facts.items() if name != "username" or value != trace.username}
    colon = _(": ")
    return _("; ").join(f"{word(FACTS, name)}{colon}{_plain(name, value)}" for name, value in own.items())


def _plain(name: str, value: object) -> str:
    values = [str(each) for each in (value if isinstance(value, list) else [value])]
    if name == "role":
        return _(", ").join(role(each) if each in set(Role) else each for each in values)
    return _(", ").join(word(VALUES, each) if name == "by" else each for each in values)
