"""What notices say outside the pages: the city's own words by kind and language, with what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid, Mistake, Mistakes
from chengshu.parties import notices_text
from chengshu.parties.notices_text import Facts, Text
from chengshu.web.admin import parts
from chengshu.web.admin.frame import ADMIN, READERS
from chengshu.web.pages import Request, known, page, text
from chengshu.web.words import local

LANGUAGES = tuple(code for code, _name in settings.LANGUAGES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """A kind of notice: own words by language (None: ours), and how each reads with the facts of an invented case."""

    kind: str
    label: str
    own: dict[str, dict[str, str]]
    reads: dict[str, Text]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """All kinds, the placeholders, and the one whose form is open."""

    kinds: Sequence[Words]
    placeholders: tuple[str, ...]
    open: str


@page("GET", roles=READERS)
def show(request: Request) -> HttpResponse:
    """The words of all kinds of notices."""
    return parts.show(request, KIND)


@page("POST", roles=ADMIN)
def send(request: Request) -> HttpResponse:
    """Give a kind words of its own, or take them back."""
    return parts.send(request, KIND)


def _read(request: Request, value: Any) -> Any:
    kind = text(request, "kind", 40)
    if kind not in notices_text.LABELS and kind != notices_text.ANY:
        raise Invalid(_("There is no such kind of notice."), where=kind, remedy=_("Choose one of the list."))
    own = {code: texts for code in LANGUAGES if (texts := _texts(request, code))}
    _check(kind, own)
    templates = {name: words for name, words in value.get("templates", {}).items() if name != kind}
    value["templates"] = templates | ({kind: own} if own else {})
    return value


def _check(kind: str, own: dict[str, dict[str, str]]) -> None:
    """Refuse words that cannot be sent, naming the fields as the form does and not as a city pack would."""
    try:
        notices_text.check({"templates": {kind: own}})
    except Mistakes as error:
        found = [Mistake(where=_field(each.where), what=each.what, remedy=each.remedy) for each in error.mistakes]
        raise Mistakes(found) from error


def _field(where: str) -> str:
    """The field that `notices:KIND/LANGUAGE/NAME` is on the page."""
    _kind, code, name = where.split("/")
    field = _("Subject") if name == "subject" else _("Text")
    return f"{dict(settings.LANGUAGES).get(code, code)} · {field}"


def _texts(request: Request, code: str) -> dict[str, str]:
    found = {name: text(request, f"{name}_{code}", notices_text.LONGEST_BODY + 1) for name in ("subject", "body")}
    return {name: words for name, words in found.items() if words}


def _more(request: Request, value: Any, now: Any) -> Choices:
    kinds = [_words(request, kind, value) for kind in (notices_text.ANY, *notices_text.LABELS)]
    return Choices(kinds=kinds, placeholders=notices_text.PLACEHOLDERS, open=text(request, "kind", 40))


def _words(request: Request, kind: str, value: Any) -> Words:
    label = _("All other kinds") if kind == notices_text.ANY else notices_text.label(kind)
    reads = {code: _preview(request, kind, value, code) for code in LANGUAGES}
    return Words(kind=kind, label=label, own=value.get("templates", {}).get(kind, {}), reads=reads)


def _preview(request: Request, kind: str, value: Any, code: str) -> Text:
    """How a notice reads with an invented case, which is no case of the city."""
    catalog = known(request)
    due = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=4)
    with translation.override(code):
        facts = Facts(
            kind="dispatch" if kind == notices_text.ANY else kind,
            number=f"{catalog.city.number_prefix}-0000-000000",
            title=_("An example: rubbish at the kerb"),
            due=due,
        )
        return notices_text.write(facts, part=value, city=local(catalog.city, "label"), zone=catalog.zone)


KIND = parts.Kind(
    name="notices", route="admin_notices", template="admin/notices.html", read=_read, more=_more,
    empty={"templates": {}},
)  # fmt: skip
