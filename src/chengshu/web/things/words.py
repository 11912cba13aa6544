"""What the pages about things call states, types, divisions and what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chengshu.cases.catalog import Catalog
from chengshu.sensing.kinds import Kinds
from chengshu.sensing.models import ThingChange
from chengshu.web.words import local

STATES: Final = {
    "new": gettext_noop("Never heard of"),
    "live": gettext_noop("Live"),
    "late": gettext_noop("Not heard of in time"),
    "silent": gettext_noop("Silent"),
    "faulty": gettext_noop("Faulty"),
    "retired": gettext_noop("Out of use"),
}
TAGS: Final = {
    "new": "tag-open",
    "live": "tag-done",
    "late": "tag-soon",
    "silent": "tag-late",
    "faulty": "tag-late",
    "retired": "tag-dead",
}
REASONS: Final = {
    "new": gettext_noop("Nothing has ever come in from it."),
    "live": gettext_noop("It speaks as often as its type should."),
    "late": gettext_noop("It has not spoken for longer than its type should rest."),
    "silent": gettext_noop("It has not spoken for so long that somebody must look."),
    "faulty": gettext_noop("It speaks, but what it says cannot be right."),
    "retired": gettext_noop("It was put out of use: nobody waits for it."),
}
ACTS: Final = {
    "faulty": gettext_noop("was marked as faulty"),
    "mended": gettext_noop("was said to be well again"),
    "retired": gettext_noop("was put out of use"),
    "returned": gettext_noop("was put into use again"),
    "changed": gettext_noop("was corrected in the register"),
    "asked": gettext_noop("upkeep was asked for"),
}
FIELDS: Final = {"type": gettext_noop("Type"), "owner": gettext_noop("Owner"), "duty": gettext_noop("Mended by")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """Names in the reader's language of what is kept as codes and numbers."""

    known: Catalog
    kinds: Kinds

    def type(self, code: str) -> str:
        """A type by its name; the code where the city does not know it."""
        found = self.kinds.types.get(code)
        return local(found, "name") if found else code or _("Without a type")

    def division(self, pk: int) -> str:
        """A division by its name; 0 stands for none."""
        place = self.known.divisions.get(pk)
        return local(place, "name") if place else _("Not known where")

    def place(self, path: list[int]) -> str:
        """Where a Thing stands, below the city."""
        inside = [pk for pk in path if pk in self.known.divisions]
        return " ".join(self.division(pk) for pk in inside[1:]) or (self.division(inside[0]) if inside else "")

    def state(self, code: str) -> str:
        return _(STATES[code]) if code in STATES else code

    def reason(self, code: str) -> str:
        return _(REASONS[code]) if code in REASONS else ""

    def tag(self, code: str) -> str:
        return TAGS.get(code, "tag-open")

    def event(self, change: ThingChange) -> str:
        """What happened, in words."""
        if change.act == "state":
            return _("became: %(state)s") % {"state": self.state(change.state)}
        return _(ACTS[change.act]) if change.act in ACTS else change.act

    def facts(self, change: ThingChange) -> list[str]:
        """What was corrected: from what to what."""
        said: dict[str, Any] = change.facts
        return [f"{_(FIELDS[n])}: {was or '–'} → {now or '–'}" for n, (was, now) in said.items() if n in FIELDS]
