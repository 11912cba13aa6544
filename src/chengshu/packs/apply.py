"""Loads a city pack: reads, plans, asks where a city lives already, and applies everything in one transaction."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from chengshu.core.errors import Conflict
from chengshu.packs import demo, revisions
from chengshu.packs.living import BY_PACK, Living, read_living
from chengshu.packs.models import Revision
from chengshu.packs.plan import PARTS, Action, Plan, make_plan
from chengshu.packs.read import digest, read_pack
from chengshu.packs.records import Pack, PartRow
from chengshu.packs.revisions import Author
from chengshu.packs.write import Writer
from chengshu.places.models import City, Part

LOCK = 0x6369_7479  # "city": one load at a time

Echo = Callable[[str], object]


def load_city(
    name: str,
    *,
    yes: bool = False,
    plan_only: bool = False,
    overwrite_edited: bool = False,
    echo: Echo = print,
    ask: Callable[[Plan], bool] = lambda _plan: False,
    progress: Echo = lambda _step: None,
) -> Plan:
    """Bring the city to what its pack says. Loading the same pack again does nothing.

    Args:
        name: of a folder in CHENGSHU_CITIES, or the path of a folder.
        yes: change a living city without asking; a first load never asks.
        plan_only: show what would change, and change nothing.
        overwrite_edited: parts that were edited in the living city become what the pack says.
        echo: takes the lines for people.
        ask: whether to change a living city as planned; without it, `yes` decides.
        progress: takes the name of each step as it begins.

    Returns:
        The plan; `applied` tells whether it was carried out, `same` that this very pack is loaded already.

    Raises:
        Mistakes: the pack has mistakes; all are told.
        Conflict: the plan has obstacles, or the city was changed by somebody else meanwhile.
    """
    folder = pack_folder(name)
    if not overwrite_edited and (city := _loaded(folder)):
        echo(_("{city} is loaded already, and its pack has not changed.").format(city=city.name))
        return Plan(city=city.name, first=False, version=city.version, same=True)
    progress(_("Reading the pack"))
    pack = read_pack(folder)
    progress(_("Comparing with the city"))
    plan = make_plan(pack, overwrite_edited=overwrite_edited)
    _show(plan, echo)
    if plan_only:
        return plan
    check_obstacles(plan)
    if plan.writes and not (plan.first or yes or ask(plan)):
        echo(
            _("Nothing was changed. `chengshu load-city {name} --yes` applies the plan.").format(name=shlex.quote(name))
        )
        return plan
    apply(pack, plan, overwrite_edited=overwrite_edited, progress=progress)
    echo(_("{city} is loaded.").format(city=pack.name))
    return replace(plan, applied=True)


def pack_folder(name: str) -> Path:
    """The folder of a pack: a path, or a name in the folder of city packs."""
    given = Path(name)
    return given.resolve() if given.parent != Path() or given.is_absolute() else settings.CITIES_ROOT / name


def is_loaded(name: str) -> bool:
    """Whether the city of a pack lives here, be it as this pack or an earlier one had it."""
    return City.objects.filter(name=pack_folder(name).name).exists()


def _loaded(folder: Path) -> City | None:
    """The city, when exactly this pack is loaded."""
    city = City.objects.filter(name=folder.name).first()
    return city if city and city.digest and folder.is_dir() and city.digest == digest(folder) else None


def _show(plan: Plan, echo: Echo) -> None:
    for line in plan.lines():
        echo(line)
    if not plan.changes:
        echo(_("The pack changes nothing in the city."))


def check_obstacles(plan: Plan) -> None:
    """Raise Conflict when open cases forbid a plan."""
    if plan.obstacles:
        raise Conflict("\n".join(plan.obstacles), where=plan.city, remedy=_("Nothing was changed."))


@transaction.atomic
def apply(
    pack: Pack,
    plan: Plan,
    *,
    overwrite_edited: bool = False,
    author: Author | None = None,
    progress: Echo = lambda _step: None,
) -> Revision | None:
    """Carry out a plan in one transaction, and keep it as a revision: by `author`, or by the pack itself.

    Raises:
        Conflict: the city changed after the plan was made, or open cases forbid it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    City.objects.select_for_update().filter(name=pack.name).first()  # the dispatch rules are saved by another door
    living = read_living(pack)
    if (living.city.version if living.city else 0) != plan.version or plan.first != (living.city is None):
        what = _("The city was changed while you looked at the plan.")
        raise Conflict(what, where=pack.name, remedy=_("Load it again to see the new plan."))
    plan = make_plan(pack, living, overwrite_edited=overwrite_edited)
    check_obstacles(plan)  # a case may have come to stand in the way since the plan was shown
    return _write(pack, plan, living, author or Author(why=f"pack {pack.digest[:12]}"), progress)


def _write(pack: Pack, plan: Plan, living: Living, author: Author, progress: Echo) -> Revision | None:
    city = _city(pack, plan, living)
    writer = Writer.of(pack, plan, living, city)
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        (_("Divisions"), writer.divisions),
        (_("Successions of divisions"), writer.successions),
        (_("Outlines"), writer.boundaries),
        (_("Departments"), writer.departments),
        (_("Kinds of cases"), writer.life),
        (_("Case types"), writer.types),
        (_("Demo accounts"), lambda: writer.people(demo.encoded_password)),
        (_("Parts"), lambda: _parts(plan, living, city, author)),
    )
    for name, step in steps:
        progress(name)
        step()
    return revisions.note(city, plan, living, author)


def _city(pack: Pack, plan: Plan, living: Living) -> City:
    """The city's own row; its version rises when anything changes, which tells every process to read anew."""
    city = living.city or City(version=0)
    for name, value in pack.city.facts().items():
        setattr(city, name, value)
    city.digest = pack.digest
    city.version += plan.writes
    city.save()
    return city


def _parts(plan: Plan, living: Living, city: City, author: Author) -> None:
    """New versions of the parts that change; the earlier ones stay."""
    rows = [c.row for c in plan.of(PARTS, Action.ADD, Action.CHANGE) if isinstance(c.row, PartRow)]
    Part.objects.filter(city=city, name__in=[row.name for row in rows], active=True).update(active=False)
    now, by = datetime.now(UTC), author.username or BY_PACK
    last = {name: part.version for name, part in living.parts.items()}
    Part.objects.bulk_create(
        Part(
            city=city, name=row.name, version=last.get(row.name, 0) + 1, value=row.value, at=now, by=by, why=author.why
        )
        for row in rows
    )
