"""The indicators of the cockpit: what each counts on a day of the city, in which words, and what one does about it.

An indicator is a part of a measure (`measures.py`), so that the cockpit and the scorecards cannot tell two stories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q

from chengshu.cases.models import Step
from chengshu.core.errors import NotFound
from chengshu.evaluation.measures import OWN, Measure, Part, Period, Words, measure

REOPENED = Measure(
    name="reopened",
    label=Words(zh="重开数", en="Reopened"),
    due_label=Words(zh="重开数", en="Reopened"),
    definition=Words(
        zh="统计期内被重开的次数：结案后问题重现或没有解决，由反映人、值班长或系统重新打开。",
        en="How often a closed case was opened again in the period: the problem came back or was never solved.",
    ),
    source=OWN,
    rows=Step,
    kinds=frozenset(),
    due=lambda period: Q(move__code="reopen") & period.holds("at"),
    low=True,
)
# The measures that are counted by day, each with the time that decides the day.
DAILY: Mapping[str, str] = {
    "opened": "opened_at",
    "closed": "closed_at",
    "total": "due_at",
    "satisfaction": "closed_at",
    "reopened": "at",
}


def daily(name: str) -> Measure:
    """A measure that is counted by day. Raises NotFound."""
    if name not in DAILY:
        raise NotFound("There is no such daily count.", where=name, remedy="Open it from the cockpit.")
    return REOPENED if name == REOPENED.name else measure(name)


def unit_field(each: Measure) -> str:
    """The path from a row to the unit it counts for; of a step, the unit of its case."""
    return "case__unit_id" if each.rows is Step else "unit_id"


LISTED = Words(zh="链接列出未达到的。", en=" The link lists those that missed it.")
COUNTED = Words(
    zh="此处只计未达到的，其后是否完成不论。", en=" Counted here are those that missed it, whether done later or not."
)
NOTHING = Words(zh="", en="")


@dataclass(frozen=True, kw_only=True, slots=True)
class Indicator:
    """One line of the cockpit.

    `part` says which rows its number counts and its link lists; a `rate` is the share of good rows among those due,
    and its link lists the others, about which something can be done. `low` says that less is better.
    """

    name: str
    label: Words
    measure: Measure
    part: Part
    verb: Words
    rate: bool = False
    low: bool = False

    @property
    def definition(self) -> Words:
        """That of its measure, and which rows are counted or listed."""
        own, more = self.measure.definition, LISTED if self.rate else COUNTED if self.part is Part.MISSED else NOTHING
        return Words(zh=own.zh + more.zh, en=own.en + more.en)

    @property
    def unit(self) -> str:
        return "%" if self.rate else "1"

    def value(self, due: int, good: int | None) -> float | None:
        """The number of a day or period from its counts; None for a rate of nothing."""
        if self.rate:
            return (good or 0) / due if due else None
        return float(self.count(due, good))

    def count(self, due: int, good: int | None) -> int:
        """How many rows the link lists."""
        part = Part.MISSED if self.rate else self.part
        if part is Part.MISSED:
            return due - (good or 0)
        return due if part is Part.DENOMINATOR else (good or 0)


INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        name="reported",
        label=Words(zh="上报", en="Reported"),
        measure=daily("opened"),
        part=Part.DENOMINATOR,
        verb=Words(
            zh="突增时看类型和地点，查共同原因，提前调力量。",
            en="On a rise, look for type and place, find the common cause, move people early.",
        ),
    ),
    Indicator(
        name="closed",
        label=Words(zh="结案", en="Closed"),
        measure=daily("closed"),
        part=Part.DENOMINATOR,
        verb=Words(
            zh="持续少于上报时，积压在增加：督办最久未结的。",
            en="Below reported for days, the backlog grows: press the oldest.",
        ),
    ),
    Indicator(
        name="on_time",
        label=Words(zh="按期结案率", en="Closed on time"),
        measure=daily("total"),
        part=Part.NUMERATOR,
        verb=Words(
            zh="督办未按期的，改派力量不足的单位的案件。",
            en="Supervise those missed; redispatch from units that are short of hands.",
        ),
        rate=True,
    ),
    Indicator(
        name="overdue",
        label=Words(zh="超期", en="Fell overdue"),
        measure=daily("total"),
        part=Part.MISSED,
        verb=Words(
            zh="督办仍未结的，约谈反复超期的单位。",
            en="Supervise those still open; call in units that are late again and again.",
        ),
        low=True,
    ),
    Indicator(
        name="reopened",
        label=Words(zh="重开", en="Reopened"),
        measure=REOPENED,
        part=Part.DENOMINATOR,
        verb=Words(zh="派核查员复核，问责虚假结案。", en="Send a verifier; ask who closed what was not solved."),
        low=True,
    ),
    Indicator(
        name="satisfaction",
        label=Words(zh="满意率", en="Satisfied"),
        measure=daily("satisfaction"),
        part=Part.NUMERATOR,
        verb=Words(
            zh="对不满意的逐件回访，可以重开。", en="Call back each reporter who is not satisfied; reopen where right."
        ),
        rate=True,
    ),
)
_BY_NAME = {each.name: each for each in INDICATORS}


def indicator(name: str) -> Indicator:
    """An indicator by name. Raises NotFound."""
    if name not in _BY_NAME:
        raise NotFound("There is no such indicator.", where=name, remedy="Open it from the cockpit.")
    return _BY_NAME[name]


def rows_of(each: Measure, part: Part, period: Period) -> Q:
    """The condition of the rows of one part over a period; a plain count has only one part."""
    return each.part(Part.DENOMINATOR if each.good is None else part, period)
