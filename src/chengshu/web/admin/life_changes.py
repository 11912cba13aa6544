"""Changes of the life of a case in words: of which move or state, what it was and what it becomes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from chengshu.cases.catalog import Catalog
from chengshu.packs import revisions
from chengshu.packs.diff import NOTHING
from chengshu.packs.editing import Proposal
from chengshu.packs.plan import Action
from chengshu.web.admin import field_words
from chengshu.web.admin.frame import Difference, Past, past, told
from chengshu.web.words import local

_KEY = re.compile(r"[^/]+/(\w+)(?:: (\w+)→(\w+))?")  # of a state, or of a move with both its ends
MOST = 40  # differences of one change that are listed


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """What the moves and states of a kind are called, by their codes, those no longer used as well."""

    kind: str
    moves: Mapping[str, str]
    states: Mapping[str, str]

    @classmethod
    def of(cls, known: Catalog, kind: str, proposal: Proposal | None = None) -> Names:
        own = known.kind_codes[kind]
        moves = {m.code: local(m, "label") for m in known.every_move.values() if m.kind_id == own.pk}
        states = {s.code: local(s, "label") for s in known.states.values() if s.kind_id == own.pk}
        if proposal is not None:
            moves |= {m.code: local(m, "label") for m in proposal.pack.moves if m.kind == kind}
            states |= {s.code: local(s, "label") for s in proposal.pack.states if s.kind == kind}
        return cls(kind=local(own, "label"), moves=moves, states=states)

    def row(self, key: str) -> str:
        """What a row of the tables of kinds, states or moves is called."""
        found = _KEY.fullmatch(key)
        if found is None:
            return self.kind
        code, start, end = found.groups()
        if start is None:
            return self.states.get(code, code)
        move, ends = self.moves.get(code, code), [self.states.get(each, each) for each in (start, end)]
        return f"{move} ({' → '.join(dict.fromkeys(ends))})"


def proposed(names: Names, proposal: Proposal) -> list[Difference]:
    """What a proposal would change, row by row."""
    changes = [change for change in proposal.plan.changes if change.action is not Action.KEEP]
    return [row for c in changes for row in _row(names.row(c.key), c.action, told(c.fields))]


def history(known: Catalog, kind: str) -> list[Past]:
    """The changes of a kind, newest first; `number` is that of the revision."""
    names, found = Names.of(known, kind), revisions.of_life(known.city.pk, kind)
    pasts = []
    for number, same in groupby(found, key=lambda each: each.revision_id):
        own = list(same)[::-1]
        each = past(own)
        rows = [r for a, p in zip(own, each, strict=True) for r in _row(names.row(a.key), a.action, p.differences)]
        pasts.append(replace(each[0], number=number, new=False, ended=False, differences=rows[:MOST]))
    return pasts


def _row(name: str, action: str, differences: Sequence[Difference]) -> Iterable[Difference]:
    if not differences:
        return [Difference(name=name, old=NOTHING, new=field_words.word(field_words.ACTIONS, action))]
    return [replace(each, name=f"{name} · {each.name}") for each in differences]
