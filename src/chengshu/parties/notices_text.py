"""What notices say outside the pages: kinds, the words of each in two languages, and the city's own words instead.

A city says it in its own words by a part `notices`: `{"templates": {kind: {language: {"subject": …, "body": …}}}}`, where
the kind `*` stands for all others. Words in braces, such as `{number}`, are filled in; PLACEHOLDERS names them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.core.errors import Mistake, Mistakes
from chengshu.core.masking import masked

LABELS = {
    "dispatch": gettext_noop("A case was dispatched to your unit"),
    "assign": gettext_noop("A case was assigned to your unit"),
    "last_resort": gettext_noop("A case returned too often is now yours"),
    "rework": gettext_noop("Sent back for rework"),
    "split": gettext_noop("Your unit is to assist"),
    "track": gettext_noop("You are to track this case"),
    "orphaned": gettext_noop("Its unit no longer exists: send the case on"),
    "urge": gettext_noop("You are urged to act"),
    "supervise": gettext_noop("Put under supervision"),
    "warn": gettext_noop("Due soon"),
    "due": gettext_noop("Overdue"),
    "escalated": gettext_noop("Escalated because it is overdue"),
    "closed": gettext_noop("Your case was closed"),
    "administration": gettext_noop("A post or an account was changed"),
    "brief": gettext_noop("The brief of yesterday is ready"),
    "security": gettext_noop("Your ways of signing in were changed"),
}
# Urgent whatever the case; an urgent case makes every notice of it urgent.
URGENT = frozenset({"last_resort", "urge", "supervise", "due", "escalated", "security"})
FOR_CITIZENS = frozenset({"closed"})
FOR_ALL = frozenset({"security"})
PLACEHOLDERS = ("label", "number", "title", "due", "link", "city")
SUBJECT = gettext_noop("[%(city)s] %(label)s: %(number)s")
WITHOUT_NUMBER = gettext_noop("[%(city)s] %(label)s")
ANY = "*"
LONGEST_SUBJECT, LONGEST_BODY = 200, 4_000  # characters of a city's own words
CODE_MINUTES = 30
_BRACES = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A message in words."""

    subject: str
    body: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a notice tells outside: nobody's name, telephone or address."""

    kind: str
    number: str
    title: str
    due: datetime | None
    urgent: bool = False

    @classmethod
    def of(cls, kind: str, params: Mapping[str, Any], *, urgent: bool = False) -> Facts:
        """From the parameters that a notice keeps."""
        due = params.get("due")
        return cls(
            kind=kind,
            number=str(params.get("number", "")),
            title=masked(str(params.get("title", ""))),
            due=datetime.fromisoformat(due) if due else None,
            urgent=urgent,
        )

    @property
    def link(self) -> str:
        """Where the pages show the case, as whoever sits elsewhere must ask for it."""
        if self.kind == "security":
            return f"{settings.PUBLIC_URL}/account/security"
        page = "follow" if self.kind in FOR_CITIZENS else "cases"
        return f"{settings.PUBLIC_URL}/{page}/{self.number}" if self.number else f"{settings.PUBLIC_URL}/notices"


def label(kind: str) -> str:
    return _(LABELS[kind]) if kind in LABELS else kind


def write(facts: Facts, *, part: Mapping[str, Any], city: str, zone: ZoneInfo) -> Text:
    """One notice in the language in use: in the city's words where it has some, else in ours."""
    words = {
        "label": label(facts.kind),
        "number": facts.number,
        "title": facts.title,
        "due": f"{facts.due.astimezone(zone):%Y-%m-%d %H:%M}" if facts.due else "",
        "link": facts.link,
        "city": city,
    }
    own = _own(part, facts.kind, translation.get_language() or settings.LANGUAGE_CODE)
    usual = _(SUBJECT) if facts.number else _(WITHOUT_NUMBER)
    subject = _filled(own["subject"], words) if own.get("subject") else usual % words
    body = _filled(own["body"], words) if own.get("body") else _body(words)
    return Text(subject=" ".join(subject.split())[:LONGEST_SUBJECT], body=body)


def _own(part: Mapping[str, Any], kind: str, language: str) -> Mapping[str, str]:
    templates = part.get("templates", {})
    found: Mapping[str, str] = (templates.get(kind) or templates.get(ANY) or {}).get(language, {})
    return found


def _filled(template: str, words: Mapping[str, str]) -> str:
    return _BRACES.sub(lambda found: words.get(found[1], found[0]), template)


def _body(words: Mapping[str, str]) -> str:
    lines = [words["label"], " ".join(filter(None, (words["number"], words["title"])))]
    if words["due"]:
        lines.append(_("Due: %(due)s") % {"due": words["due"]})
    return "\n".join([*filter(None, lines), words["link"]])


def together(texts: Sequence[Text], city: str) -> Text:
    """Several notices as one message."""
    if len(texts) == 1:
        return texts[0]
    subject = _("[%(city)s] %(count)s notices") % {"city": city, "count": len(texts)}
    return Text(subject=subject, body="\n\n".join(text.body for text in texts))


def code_text(code: str, city: str) -> Text:
    """The message that proves that a channel reaches its owner."""
    body = _("Your code is %(code)s. Enter it on the page of your channels within %(minutes)s minutes.")
    return Text(
        subject=_("[%(city)s] Code %(code)s") % {"city": city, "code": code},
        body=body % {"code": code, "minutes": CODE_MINUTES} + "\n" + _("If you did not ask for it, do nothing."),
    )


def check(part: Mapping[str, Any]) -> None:
    """Refuse a part `notices` that could not be used as it is meant; every mistake is told."""
    found = [mistake for kind, own in dict(part.get("templates", {})).items() for mistake in _wrong(kind, own)]
    if found:
        raise Mistakes(found)


def _wrong(kind: str, own: Mapping[str, Mapping[str, str]]) -> list[Mistake]:
    if kind not in LABELS and kind != ANY:
        known = ", ".join([*LABELS, ANY])
        return [Mistake(where=f"notices:{kind}", what=_("No such kind of notice."), remedy=known)]
    fields = [(language, name, text) for language, texts in own.items() for name, text in texts.items()]
    return [m for language, name, text in fields for m in _wrong_text(f"notices:{kind}/{language}/{name}", name, text)]


def _wrong_text(where: str, name: str, text: str) -> list[Mistake]:
    longest = {"subject": LONGEST_SUBJECT, "body": LONGEST_BODY}.get(name)
    if longest is None:
        return [Mistake(where=where, what=_("A notice has a subject and a body."))]
    unknown = sorted(set(_BRACES.findall(text)) - set(PLACEHOLDERS))
    wrong = [Mistake(where=where, what=_("No such placeholder: %(name)s.") % {"name": f"{{{n}}}"}) for n in unknown]
    if len(text) > longest:
        wrong.append(Mistake(where=where, what=_("Too long: at most %(n)s characters.") % {"n": longest}))
    return wrong
