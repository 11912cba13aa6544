"""Connecting a source: show a sample, look at what the platform makes of it, mend the mapping, name it, switch it on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from chengshu.core.errors import ChengshuError, Invalid
from chengshu.parties.models import Department
from chengshu.sensing.models import FeedKind
from chengshu.sensing.mqtt import mapped
from chengshu.sensing.quarantine import REASONS
from chengshu.sensing.sources import feeds, guess, http, secrets, sql
from chengshu.sensing.sources import mapping as language
from chengshu.sensing.sources.feeds import Draft
from chengshu.sensing.sources.preview import Preview, preview
from chengshu.web.admin import frame
from chengshu.web.admin.frame import Wrong
from chengshu.web.pages import Request, known, page, respond, text
from chengshu.web.sensing import mapping_form, samples
from chengshu.web.sensing.sources import as_yaml

LARGEST_SAMPLE = samples.LARGEST
OPTIONS = ("name", "label", "kind", "address", "query", "schedule", "owner", "header", "secret_name", "why")
FORMATS = ("csv", "json", "ndjson", "xlsx", "xml", "parquet", "gtfs-rt", "sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class WizardPage:
    """What was shown, the mapping as it stands, what it would make of the sample, and what is wrong."""

    sample: str = ""
    mapping: Mapping[str, Any] = field(default_factory=dict)
    base: str = "{}"
    way: str = "column"
    results: Sequence[Mapping[str, Any]] = ()
    as_text: str = ""
    columns: Sequence[str] = ()
    preview: Preview | None = None
    wrong: Wrong = field(default_factory=Wrong)
    values: Mapping[str, str] = field(default_factory=dict)
    sealed: str = ""
    departments: Sequence[Department] = ()
    reasons: Mapping[Any, Any] = field(default_factory=lambda: REASONS)
    zone: str = ""
    formats: Sequence[str] = FORMATS
    editing: int | None = None


@page("GET", "POST", roles=feeds.EDITORS)
@frame.whole_city
def new(request: Request) -> HttpResponse:
    """The wizard: an empty page, and whatever its buttons ask for."""
    if request.method == "GET":
        return respond(request, "sensing/source_new.html", _page(request))
    steps = {"look": _look, "preview": _preview, "text": _preview, "save": _save}
    step = steps.get(text(request, "do", 10), _look)
    return step(request)


def _page(request: Request, **more: Any) -> WizardPage:
    city = known(request).city
    values = {name: text(request, name, 20_000) for name in OPTIONS}
    values["kind"] = _kind(request)
    values["schedule"] = values["schedule"] or "300"
    values["header"] = values["header"] or "Authorization"
    departments = Department.objects.filter(city=city, active=True).order_by("code")
    return WizardPage(
        **{"values": values, "departments": departments, "zone": city.timezone, "sealed": _sealed(request), **more}
    )


def _kind(request: Request) -> str:
    """The sort of source; an address says it where nothing else was chosen."""
    kind, address = text(request, "kind", 10) or FeedKind.FILE, text(request, "address", 4_000)
    if kind == FeedKind.FILE and address:
        return FeedKind.SQL if address.startswith(("postgresql:", "postgres:")) else FeedKind.HTTP
    return kind


def _sealed(request: Request) -> str:
    """The secret as it goes with the form: encrypted, so that no page shows it."""
    secret = text(request, "secret", secrets.LONGEST)
    return secrets.sealed(secret).decode() if secret else text(request, "sealed", 20_000)


def _account(request: Request) -> int:
    assert request.principal.account is not None
    return request.principal.account


def _look(request: Request) -> HttpResponse:
    """A sample was shown: what it looks like."""
    try:
        content = mapped.sample(_shown(request)) if _kind(request) == FeedKind.MQTT else _shown(request)
        token = samples.keep(_account(request), content)
        kept = samples.load(_account(request), token)
        mapping = mapped.proposed(kept) if _kind(request) == FeedKind.MQTT else guess.guess(kept)
        if _kind(request) == FeedKind.SQL:
            mapping["format"] = "sql"
    except ChengshuError as error:
        return _respond(request, _page(request, wrong=Wrong.of(error)))
    return _tried(request, token, mapping)


def _shown(request: Request) -> bytes:
    """What was pasted, uploaded, or stands at the address."""
    if upload := request.FILES.get("file"):
        return bytes(upload.read(LARGEST_SAMPLE + 1))
    if pasted := str(request.POST.get("pasted", "")).replace("\r\n", "\n"):  # as it is: a first tab says something
        return pasted.encode("utf-8", "replace")
    address, kind = text(request, "address", 4_000), _kind(request)
    if not address or kind == FeedKind.MQTT:
        raise Invalid(_("There is nothing in it."), where="sample", remedy=_("Paste some lines, or choose a file."))
    secret = secrets.opened(_sealed(request))
    if kind == FeedKind.SQL:
        return sql.rows(address, text(request, "query", 20_000), cursor=None, by=None, secret=secret)[0]
    header = text(request, "header", 60) or "Authorization"
    sent = {header: secret} if secret else {}
    return http.fetch(address.replace("{cursor}", ""), headers={}, secret=sent, largest=LARGEST_SAMPLE).content


def _wanted(request: Request) -> dict[str, Any]:
    """The mapping of the form, or of its text."""
    if text(request, "do", 10) != "text":
        return mapping_form.read(request)
    found = language.read_text(text(request, "as_text", language.LARGEST))
    if not isinstance(found, dict):
        raise Invalid(_("The mapping is no YAML and no JSON."), remedy=_("Mend the line."))
    return found


def _preview(request: Request) -> HttpResponse:
    token = text(request, "sample", 80)
    try:
        mapping = _wanted(request)
    except ChengshuError as error:
        return _tried(request, token, mapping_form.read(request), Wrong.of(error))
    return _tried(request, token, mapping)


def _tried(request: Request, token: str, mapping: dict[str, Any], wrong: Wrong | None = None) -> HttpResponse:
    """The form with what the mapping makes of the sample."""
    found: Preview | None = None
    columns: Sequence[str] = ()
    wrong = wrong or Wrong()
    try:
        content = samples.load(_account(request), token)
        columns = guess.columns(content, mapping)
        source = language.parse(mapping)
        if not wrong:
            found = preview(content, source, principal=request.principal, city=known(request).city)
    except ChengshuError as error:
        wrong = wrong or Wrong.of(error)
    results = [each for each in mapping.get("results") or () if isinstance(each, dict)]
    page = _page(
        request, sample=token, mapping=mapping, base=json.dumps(mapping, ensure_ascii=False), wrong=wrong,
        way=mapping_form.way_of(mapping), preview=found, columns=columns, as_text=as_yaml(mapping),
        results=[*results[: mapping_form.MOST - 2], {}, {}],
    )  # fmt: skip
    return _respond(request, page)


def _respond(request: Request, page: WizardPage) -> HttpResponse:
    return respond(request, "sensing/source_new.html", page, status=page.wrong.status if page.wrong else 200)


def _save(request: Request) -> HttpResponse:
    """Name it and switch it on, when the mapping fits the sample."""
    mapping = mapping_form.read(request)
    draft = Draft(
        name=text(request, "name", 60), label=text(request, "label", 200), kind=_kind(request),
        address=text(request, "address", 4_000), query=text(request, "query", 20_000), mapping=mapping,
        schedule=text(request, "schedule", 300), owner=text(request, "owner", 60),
        header=text(request, "header", 60) or "Authorization", secret_name=text(request, "secret_name", 80),
        secret=secrets.opened(_sealed(request)) or None,
    )  # fmt: skip
    try:
        feed = feeds.save(request.principal, draft, why=text(request, "why", 500))
        feeds.switch(request.principal, feed.name, on=True, why=text(request, "why", 500))
    except ChengshuError as error:
        return _tried(request, text(request, "sample", 80), mapping, Wrong.of(error))
    if feed.kind == FeedKind.MQTT:
        messages.success(request, _("%(name)s is connected: what is published there is taken.") % {"name": feed.label})
    else:
        messages.success(request, _("%(name)s is connected, and looked at from now on.") % {"name": feed.label})
    return HttpResponseRedirect(f"{reverse('source')}?name={feed.name}")
