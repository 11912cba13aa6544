"""The tree of divisions: the root, what lies above and below, and which division a code meant on a day."""

from __future__ import annotations

from datetime import date

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from chengshu.core.errors import NotFound
from chengshu.places.models import Division


def valid_on(day: date, prefix: str = "") -> Q:
    """The condition that a division stood on `day`; `prefix` such as `division__` for related ones."""
    begun = Q(**{f"{prefix}valid_from__lte": day})
    return begun & (Q(**{f"{prefix}valid_to": None}) | Q(**{f"{prefix}valid_to__gt": day}))


def root_division(city_id: int) -> int:
    """The id of the division that is the whole city today. Raises NotFound when no pack is loaded."""
    found = Division.objects.filter(city=city_id, parent=None, valid_to=None).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound(
            _("This city has no divisions."), where=str(city_id), remedy=_("Load its pack with `chengshu load-city`.")
        )
    return found


def ancestors(division_id: int) -> tuple[int, ...]:
    """Ids from the city down to the division itself. Raises NotFound."""
    path = Division.objects.filter(pk=division_id).values_list("path", flat=True).first()
    if path is None:
        raise NotFound(_("There is no such division."), where=str(division_id), remedy=_("Name one of the city's own."))
    return tuple(path)


def descendants(division_id: int, on: date | None = None) -> QuerySet[Division]:
    """The division and all below it; those that stood on a day, when one is given."""
    below = Division.objects.filter(path__contains=[division_id])
    return below if on is None else below.filter(valid_on(on))


def children(division_id: int, on: date) -> QuerySet[Division]:
    """The divisions directly below that stood on a day, by code."""
    return Division.objects.filter(valid_on(on), parent=division_id).order_by("code")


def _since(day: str) -> Q:
    """The condition that a division stood from a day on, which is written 2026-01-31; none did from what is no day."""
    try:
        return Q(valid_from=date.fromisoformat(day))
    except ValueError:
        return Q(pk__in=[])


def division_by_code(city_id: int, code: str, on: date) -> Division:
    """The division that `code` meant on a day, or `code@valid_from` whenever. Raises NotFound."""
    name, _at, day = code.partition("@")
    named = Division.objects.filter(city=city_id, code=name)
    found = named.filter(_since(day) if day else valid_on(on)).first()
    if found is None:
        what = _("No division {code} stood on {day}.").format(code=name, day=day or on)
        raise NotFound(what, where=code, remedy=_("Use a code of the city's divisions; codes may change with reforms."))
    return found
