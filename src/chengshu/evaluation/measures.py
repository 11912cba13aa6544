"""What is measured: every number of a scorecard is defined here once, for the page, the CSV, the docs and the drill-down alike.

A measure counts rows (clocks, cases or tasks) that are *due* in a period, and how many of them are *good*. Both are
Django conditions: the figures aggregate them and the drill-down lists them, so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from django.db.models import Exists, F, Model, OuterRef, Q
from django.utils.translation import gettext as _

from chengshu.cases.models import Case, Clock, Step, Task
from chengshu.core.errors import Invalid, NotFound

SATISFIED = 4  # the lowest of the five ratings that counts as satisfied


class Kind(StrEnum):
    """What a scorecard is about. A `department_tree` is a department with all that stand under it."""

    DEPARTMENT = "department"
    DEPARTMENT_TREE = "department_tree"
    DISTRICT = "district"
    STREET = "street"
    COMMUNITY = "community"
    GRID = "grid"
    PERSON = "person"


UNITS = frozenset({Kind.DEPARTMENT, Kind.DEPARTMENT_TREE})
AREAS = frozenset({Kind.DISTRICT, Kind.STREET, Kind.COMMUNITY, Kind.GRID})
PERSONS = frozenset({Kind.PERSON})


class Part(StrEnum):
    """The rows behind a figure: all that were due, those that were good, those that were not."""

    DENOMINATOR = "denominator"
    NUMERATOR = "numerator"
    MISSED = "missed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """From `start` until before `end`, judged by what had happened at `as_of` (None: up to now). All aware."""

    start: datetime
    end: datetime
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        if any(at is not None and at.tzinfo is None for at in (self.start, self.end, self.as_of)):
            raise Invalid("A period without a zone.", remedy="Give aware times.")
        if self.end <= self.start:
            what = _("The period ends at %(end)s, before it begins.") % {"end": self.end}
            raise Invalid(what, remedy="Give the earlier day first.")

    @property
    def judged_at(self) -> datetime:
        """The moment by which everything is judged."""
        return self.as_of or datetime.now(UTC)

    def holds(self, field: str) -> Q:
        """The condition that a time lies in the period and had come when it is judged."""
        return Q(**{f"{field}__gte": self.start, f"{field}__lt": self.end, f"{field}__lte": self.judged_at})


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """A text in both languages of the platform."""

    zh: str
    en: str

    def to(self, language: str) -> str:
        return self.zh if language.startswith("zh") else self.en


Condition = Callable[[Period], Q]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One measure and its numbers.

    The good rows fulfil `due` and `good`. A measure without `good` is a plain count. `low` says that less is better.
    """

    name: str
    label: Words
    due_label: Words
    good_label: Words | None = None
    definition: Words
    source: Words
    rows: type[Model]
    kinds: frozenset[Kind]
    due: Condition
    good: Condition | None = None
    low: bool = False

    @property
    def unit(self) -> str:
        """The unit (UCUM): a share in percent, or a number of rows."""
        return "1" if self.good is None else "%"

    @property
    def case(self) -> str:
        """The path from a row to its case, as a prefix."""
        return "" if self.rows is Case else "case__"

    def part(self, part: Part, period: Period) -> Q:
        """The condition of one part of the figure; of a plain count, all rows are good."""
        due = self.due(period)
        good = self.good(period) if self.good else ~Q(pk__in=[])
        return {Part.DENOMINATOR: due, Part.NUMERATOR: due & good, Part.MISSED: due & ~good}[part]


def _returned() -> Exists:
    """A clock that stopped because the unit gave the case back. Whoever looks asks first whether that ever happened."""
    return Exists(
        Step.objects.filter(case=OuterRef("case"), seq=OuterRef("stopped_seq"), move__does__contains=["count_return"])
    )


def _stage_due(stage: str) -> Condition:
    def due(period: Period) -> Q:
        resting = Q(stopped_at=None, paused_at__isnull=False, paused_at__lte=period.judged_at)
        kept = Q(case__returns=0) | ~Q(_returned())
        return Q(stage=stage) & period.holds("due_at") & ~resting & ~Q(case__state__phase="dead") & kept

    return due


def _in_time(period: Period) -> Q:
    return Q(stopped_at__isnull=False, stopped_at__lte=F("due_at")) & Q(stopped_at__lte=period.judged_at)


def _closed(period: Period) -> Q:
    return period.holds("closed_at") & Q(state__phase="done")


def _late_and_open(period: Period) -> Q:
    now = period.judged_at
    running = Q(stopped_at=None)
    if period.as_of is not None:
        running |= Q(stopped_at__gt=now)
    resting = Q(stopped_at=None, paused_at__isnull=False, paused_at__lte=now)
    return Q(stage="total", started_at__lte=now, due_at__lt=now) & running & ~resting


def _assigned(period: Period) -> Q:
    return Q(lead=True) & period.holds("opened_at")


def _given_back(period: Period) -> Q:
    return Q(state="returned", ended_at__lte=period.judged_at)


PRACTICE = Words(
    zh="数字化城市管理综合绩效评价的通行做法（参见 GB/T 30428 绩效评价部分）",
    en="practice of performance evaluation in digital city management (see the evaluation part of GB/T 30428)",
)
OWN = Words(zh="本平台定义", en="defined by this platform")


def _stage(stage: str, zh: str, en: str, done: str, kinds: frozenset[Kind]) -> Measure:
    """The measure of one stage: how many were due, and how many of them were done in time."""
    return Measure(
        name=stage,
        label=Words(zh=f"按期{zh}率", en=f"{en} in time"),
        due_label=Words(zh=f"应{zh}数", en=f"Due to be {done}"),
        good_label=Words(zh=f"按期{zh}数", en=f"{done.capitalize()} in time"),
        definition=Words(
            zh=f"应{zh}数：{zh}时限在统计期内到期的计时数，不含评价时挂账的、不予受理、撤回或并案的、因退单而停止的；"
            f"按期{zh}数：其中在到期时刻或之前完成的，超期仍未完成的不计。",
            en=f"Due: {stage} clocks whose due time lies in the period and had come, but for those of cases that rest or"
            " were rejected, withdrawn or merged, and those that a return stopped."
            " In time: those stopped at or before their due time; one that still runs is not.",
        ),
        source=PRACTICE,
        rows=Clock,
        kinds=kinds,
        due=_stage_due(stage),
        good=_in_time,
    )


MEASURES: tuple[Measure, ...] = (
    _stage("accept", "受理", "Accepted", "accepted", AREAS | PERSONS),
    _stage("register", "立案", "Registered", "registered", AREAS | PERSONS),
    _stage("dispatch", "派遣", "Dispatched", "dispatched", AREAS | PERSONS),
    _stage("handle", "处置", "Handled", "handled", UNITS | AREAS | PERSONS),
    _stage("verify", "核查", "Verified", "verified", AREAS | PERSONS),
    _stage("close", "结案审核", "Final check", "finally checked", AREAS | PERSONS),
    _stage("total", "结案", "Closed", "closed", UNITS | AREAS),
    Measure(
        name="return",
        label=Words(zh="退单率", en="Given back"),
        due_label=Words(zh="派遣单数", en="Assignments"),
        good_label=Words(zh="退单数", en="Given back"),
        definition=Words(
            zh="统计期内派给主办单位的任务中，被该单位退回的所占比例。",
            en="Of the cases assigned to a lead unit in the period, the share which that unit gave back.",
        ),
        source=PRACTICE,
        rows=Task,
        kinds=UNITS | AREAS,
        due=_assigned,
        good=_given_back,
        low=True,
    ),
    Measure(
        name="rework",
        label=Words(zh="返工率", en="Reworked"),
        due_label=Words(zh="结案数", en="Closed"),
        good_label=Words(zh="返工案件数", en="Reworked at least once"),
        definition=Words(
            zh="统计期内结案的案件中，曾因核查不合格返工至少一次的所占比例。",
            en="Of the cases closed in the period, the share that was sent back for rework at least once.",
        ),
        source=PRACTICE,
        rows=Case,
        kinds=UNITS | AREAS,
        due=_closed,
        good=lambda period: Q(reworks__gt=0),
        low=True,
    ),
    Measure(
        name="satisfaction",
        label=Words(zh="满意率", en="Satisfied"),
        due_label=Words(zh="已评价数", en="Rated"),
        good_label=Words(zh="满意数", en="Rated 4 or 5"),
        definition=Words(
            zh="统计期内结案并已由反映人评价的案件中，评价为4分或5分的所占比例。",
            en="Of the cases closed in the period and rated by their reporter, the share rated 4 or 5 of 5.",
        ),
        source=OWN,
        rows=Case,
        kinds=UNITS | AREAS,
        due=lambda period: _closed(period) & Q(rating__isnull=False),
        good=lambda period: Q(rating__gte=SATISFIED),
    ),
    Measure(
        name="opened",
        label=Words(zh="上报数", en="Reported"),
        due_label=Words(zh="上报数", en="Reported"),
        definition=Words(
            zh="统计期内建立的案件数，按现在的责任单位和所在区域归属。",
            en="Cases opened in the period, counted where they now belong.",
        ),
        source=OWN,
        rows=Case,
        kinds=UNITS | AREAS,
        due=lambda period: period.holds("opened_at"),
    ),
    Measure(
        name="closed",
        label=Words(zh="结案数", en="Closed"),
        due_label=Words(zh="结案数", en="Closed"),
        definition=Words(
            zh="统计期内结案的案件数，不含不予受理、撤回和并案的。",
            en="Cases closed in the period, without those rejected, withdrawn or merged.",
        ),
        source=OWN,
        rows=Case,
        kinds=UNITS | AREAS,
        due=_closed,
    ),
    Measure(
        name="overdue_open",
        label=Words(zh="超期未结数", en="Open and overdue"),
        due_label=Words(zh="超期未结数", en="Open and overdue"),
        definition=Words(
            zh="评价时仍未结案、全程时限已过且未挂账的案件数，与统计期无关。",
            en="Cases still open when judged whose limit for the whole case had passed and that do not rest,"
            " whatever the period.",
        ),
        source=OWN,
        rows=Clock,
        kinds=UNITS | AREAS,
        due=_late_and_open,
        low=True,
    ),
)
_BY_NAME = {measure.name: measure for measure in MEASURES}


def measure(name: str) -> Measure:
    """A measure by name. Raises NotFound."""
    if name not in _BY_NAME:
        what = _("There is no measure %(name)s.") % {"name": repr(name)}
        raise NotFound(what, remedy=_("The measures are %(names)s.") % {"names": ", ".join(_BY_NAME)})
    return _BY_NAME[name]


def of_kind(kind: Kind) -> tuple[Measure, ...]:
    """The measures that make sense for a kind of subject, in the order of the registry."""
    return tuple(each for each in MEASURES if kind in each.kinds)
