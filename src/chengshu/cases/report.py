"""report(): the one door by which anything becomes a case, from whatever origin, once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from chengshu.cases.advance import advance
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.clocks import Start, given, starts
from chengshu.cases.models import CaseType, Kind
from chengshu.cases.records import MoveRequest, NewReport, Verdict
from chengshu.cases.telephones import key as phone_key
from chengshu.cases.writing import again, call, check_text, check_time, moments, waves
from chengshu.core.errors import Invalid
from chengshu.core.ids import new_id
from chengshu.core.text import index_terms
from chengshu.parties.principal import Principal, system
from chengshu.parties.roles import Role
from chengshu.places.locate import cell_of, divisions_at, far_outside

LONGEST = {"title": 200, "description": 20_000, "place_text": 500, "origin": 100, "origin_key": 300, "key": 300}
POINT = "lon, lat"  # where a report's point is wrong
FUTURE = timedelta(minutes=10)  # how far ahead another machine's clock may be


def report(
    reports: Sequence[NewReport], *, city: int, actor: Principal, at: datetime | Sequence[datetime] | None = None
) -> list[Verdict]:
    """Take reports in; one verdict for each, in their order.

    A pair (origin, origin_key) is taken once, however often it comes. A report of an open (scene, key) joins its case;
    one newer than the last closing of that case, within the reopen window, reopens it; an older one is kept with it.

    Args:
        at: when the reports were received: now by default; a replay passes a time for each.
    """
    known = catalog(city)
    times = moments(at, len(reports))
    rows = [_row(known, i, new, time, actor) for i, (new, time) in enumerate(zip(reports, times, strict=True))]
    return [
        verdict for wave in waves(rows, _keys) for verdict in again(partial(_open, known, wave), single=_keyless(wave))
    ]


def _keys(row: dict[str, Any]) -> list[Hashable]:
    own: list[Hashable] = [("origin", row["origin"], row["origin_key"])]
    return own + ([("key", row["scene"], row["key"])] if row["scene"] else [])


def _keyless(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether none of the reports can reopen a case, which is a second statement."""
    return not any(row["scene"] for row in rows)


def _open(known: Catalog, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
    verdicts = call("cases_open", rows)
    again_open = [i for i, verdict in enumerate(verdicts) if verdict.verdict == "reopens"]
    for i in again_open:
        verdicts[i] = _reopen(known, rows[i], verdicts[i])
    return verdicts


def _reopen(known: Catalog, row: dict[str, Any], verdict: Verdict) -> Verdict:
    """Reopen the case of a finding that is newer than its closing; the finding stays with it even if that is impossible."""
    actor = system(known.city.pk, known.root)
    with translation.override(known.city.language):  # it stays in the story, whoever's process writes it
        note = _("Found again: %(title)s") % {"title": row["title"]}
    request = MoveRequest(case=verdict.case, move="reopen", note=note)
    [moved] = advance([request], actor=actor, at=row["at"])
    outcome = "reopened" if moved.ok else "stale"
    return Verdict(
        verdict=outcome,
        detail=moved.detail if moved.ok else moved.verdict,
        case=verdict.case,
        number=verdict.number,
        seq=moved.seq,
        version=moved.version,
    )


def _row(known: Catalog, i: int, new: NewReport, at: datetime, actor: Principal) -> dict[str, Any]:
    """One report as a row for the SQL function."""
    _check(new, at)
    type = known.type(new.type) if new.type else None
    kind = _kind(known, new, type)
    division = _division(known, new, actor, at)
    severity = new.severity or (type.severity if type else 3)
    unit = known.department(new.unit).pk if new.unit else None
    return {
        "i": i,
        "report_id": new_id(),
        "case_id": new_id(),
        "origin": new.origin,
        "origin_key": new.origin_key,
        "kind_id": kind.pk,
        "number_prefix": f"{known.city.number_prefix}-{at.astimezone(known.zone):%Y%m%d}",
        "type_id": type.pk if type else None,
        "title": new.title,
        "description": new.description,
        "severity": severity,
        "source": new.source,
        "scene": new.scene,
        "key": new.key,
        "place_text": new.place_text,
        "lon": new.lon,
        "lat": new.lat,
        "cell": cell_of(new.lon, new.lat) if new.lon is not None and new.lat is not None else None,
        "division_id": division,
        "places": known.divisions[division].path,
        "unit_id": unit,
        "reporter_id": actor.account,
        "account_id": actor.account,
        "post_id": actor.post,
        "role": actor.role.value,
        "at": at,
        "occurred_at": new.occurred_at,
        "reopen_after": at - known.reopen_window(at) if new.scene else None,
        "payload": new.payload,
        "contact": new.contact and {**new.contact, "phone_key": phone_key(new.contact.get("phone", ""))},
        "facts": opening_facts(
            type.pk if type else None, severity, unit, division, given=new.due_given, due=new.due_at
        ),
        "terms": index_terms(new.title, new.description, new.place_text, type.name if type else ""),
        "clocks": [start.row() for start in _clocks(known, kind, type, new, at)],
        "evidence": new.evidence,
        "join_id": new.joins,
    }


def opening_facts(
    type: int | None, severity: int, unit: int | None, division: int, *, given: bool, due: datetime | None
) -> dict[str, Any]:
    """What the first step remembers, so that the case can be rebuilt; `due_given` where the origin decided the due time."""
    facts: dict[str, Any] = {"type_id": type, "severity": severity, "unit_id": unit, "division_id": division}
    return facts | {"due_given": True, "due_at": due} if given or due is not None else facts


def _clocks(known: Catalog, kind: Kind, type: CaseType | None, new: NewReport, at: datetime) -> list[Start]:
    stages = {*kind.opening_clocks, "total"} - ({"total"} if new.due_given else set())
    found = starts(known, stages, kind.pk, type.pk if type else None, at)
    if new.due_at is not None:
        found = [start for start in found if start.stage != "total"] + [given(known, new.due_at, at)]
    return found


def _kind(known: Catalog, new: NewReport, type: CaseType | None) -> Kind:
    if type is not None:
        return known.kinds[type.kind_id]
    if new.kind is None:
        raise Invalid("A report without a case type needs a kind.", where=new.origin_key, remedy="Give `kind`.")
    return known.kind(new.kind)


def _division(known: Catalog, new: NewReport, actor: Principal, at: datetime) -> int:
    """The smallest division known for a report: the one given, the one around the point, the patrol's ground, or the city.

    Outlines may be known of districts only, and a point need not be known at all. A grid worker reports what they meet on
    their own ground: unless the point lies elsewhere, the report belongs to the division of their post.
    """
    on = at.astimezone(known.zone).date()
    found = known.root
    if new.lon is not None and new.lat is not None:
        found = _around(known, new.lon, new.lat, on, actor)
    if new.division:
        return known.division(new.division, on)
    own = known.divisions.get(actor.division)
    walks = actor.role is Role.GRID_WORKER and own is not None and own.valid(on) and found in own.path
    return actor.division if walks else found


def _around(known: Catalog, lon: float, lat: float, on: date, actor: Principal) -> int:
    """The division around a point. People and other systems are told of a slip at once: a point outside the city is refused.

    Scenes and replays bring what was recorded, which is kept under the city's root.
    """
    if found := divisions_at(known.city.pk, lon, lat, on):
        return found[-1]
    if actor.role is not Role.SYSTEM and far_outside(known.city.pk, lon, lat):
        raise Invalid(
            _("This point lies outside the city."),
            where=POINT,
            remedy=_("Put it where the problem is, or leave it out and say the place in words."),
        )
    return known.root


def _check(new: NewReport, at: datetime) -> None:
    """Refuse what cannot be a report, naming the field."""
    for name, longest in LONGEST.items():
        text = getattr(new, name) or ""
        if len(text) > longest:
            raise Invalid(
                _("%(field)s has %(count)d characters, %(most)d at most.")
                % {"field": name, "count": len(text), "most": longest},
                where=new.origin_key,
                remedy="Shorten it.",
            )
        check_text(name, text, new.origin_key)
    check_text("source", new.source, new.origin_key)
    check_text("contact", new.contact or {}, new.origin_key)
    check_text("payload", new.payload, new.origin_key)
    if not (new.title.strip() and new.origin and new.origin_key):
        raise Invalid(
            "A report needs a title, an origin and the origin's key.", where=new.origin_key, remedy="Fill them."
        )
    if (new.scene is None) != (new.key is None):
        raise Invalid("scene and key come together.", where=new.origin_key, remedy="Give both or neither.")
    if new.severity is not None and new.severity not in (1, 2, 3, 4):
        raise Invalid(
            _("Severity %(severity)s is not 1 to 4.") % {"severity": new.severity},
            where=new.origin_key,
            remedy="Use 1 (urgent) to 4 (minor).",
        )
    _check_place_and_time(new, at)


def _check_place_and_time(new: NewReport, at: datetime) -> None:
    if (new.lon is None) != (new.lat is None):
        raise Invalid("lon and lat come together.", where=new.origin_key, remedy="Give both or neither.")
    if new.lon is not None and new.lat is not None and not (-180 <= new.lon <= 180 and -90 <= new.lat <= 90):
        raise Invalid(
            _("(%(lon)s, %(lat)s) is no point on earth.") % {"lon": new.lon, "lat": new.lat},
            where=POINT,
            remedy="Give longitude and latitude in degrees.",
        )
    for name, time in (("occurred_at", new.occurred_at), ("due_at", new.due_at)):
        if time is not None:
            check_time(name, time, new.origin_key)
    if new.occurred_at > at + FUTURE:
        raise Invalid(
            _("occurred_at %(time)s lies in the future.") % {"time": new.occurred_at},
            where=new.origin_key,
            remedy="Correct the time.",
        )
