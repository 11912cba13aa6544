"""The sentences of a scene's `cases/*.yaml`: tried on the detectors alone, or in a city down to the unit that gets the case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date
from functools import partial
from zoneinfo import ZoneInfo

from django.db import transaction

from chengshu.brain.look import look
from chengshu.brain.models import SceneState
from chengshu.brain.records import Batch, Expected, Knowledge, Loaded, LookResult, Sentence
from chengshu.cases.catalog import Catalog
from chengshu.cases.models import Task
from chengshu.scene import Finding, Rehearsal, Source, Window

STREAM = "rehearsal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a sentence: no mismatch means that it holds."""

    sentence: Sentence
    mismatches: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.mismatches


def try_sentence(
    loaded: Loaded, sentence: Sentence, *, zone: ZoneInfo, working: Callable[[date], bool], language: str = "zh-hans"
) -> Outcome:
    """Try a sentence on the detectors of its scene. Pure: nothing is read or written."""
    rehearsal = loaded.scene.rehearse(sentence.given, sentence.when, zone)
    findings: list[Finding] = []
    for detector in loaded.scene.detectors:
        source = loaded.scene.source(detector.source)
        state: dict[str, object] = {}
        for batch in batches(rehearsal, source):
            seen = detector.detect(
                Window(
                    frame=batch.frame,
                    start=batch.start,
                    end=batch.end,
                    zone=zone,
                    things=rehearsal.things,
                    taught=rehearsal.taught,
                    params=loaded.params.at(batch.start.astimezone(zone).date()),
                    working=working,
                    say=partial(loaded.say, language),
                    state=state,
                )
            )
            findings += seen.findings
            state = dict(seen.state)
    return Outcome(sentence=sentence, mismatches=tuple(_compare(sentence.then, findings, zone)))


def try_in_city(loaded: Loaded, sentence: Sentence, known: Catalog) -> Outcome:
    """Try a sentence through look() in a city: findings, cases, and the units that get them. Everything is undone afterwards."""
    with transaction.atomic():
        results = list(_looked(loaded, sentence, known))
        findings = [finding for result in results for finding in (*result.findings, *result.faults)]
        mismatches = [*_compare(sentence.then, findings, known.zone)]
        if not mismatches:
            mismatches = list(_units(loaded, sentence.then, results, known))
        transaction.set_rollback(True)
    return Outcome(sentence=sentence, mismatches=tuple(mismatches))


def _looked(loaded: Loaded, sentence: Sentence, known: Catalog) -> Iterator[LookResult]:
    SceneState.objects.filter(city=known.city, scene=loaded.scene.name, stream=STREAM).delete()
    rehearsal = loaded.scene.rehearse(sentence.given, sentence.when, known.zone)
    knowledge = Knowledge(
        things={source.name: rehearsal.things for source in loaded.scene.sources},
        taught={detector.name: rehearsal.taught for detector in loaded.scene.detectors},
    )
    for name in {detector.source for detector in loaded.scene.detectors}:
        for batch in batches(rehearsal, loaded.scene.source(name)):
            yield look(loaded, batch, city=known.city.pk, at=batch.end, knowledge=knowledge, stream=STREAM)


def batches(rehearsal: Rehearsal, source: Source) -> Iterator[Batch]:
    """One batch for each slot that has observations."""
    for frame in rehearsal.frame.partition_by("at", maintain_order=True):
        start = frame["at"][0].astimezone(UTC)
        yield Batch(source=source.name, frame=frame, start=start, end=start + source.period)


def _compare(expected: tuple[Expected, ...], found: list[Finding], zone: ZoneInfo) -> Iterator[str]:
    """Findings in order of time, whichever detector found them."""
    findings = sorted(found, key=lambda finding: finding.occurred_at)
    wanted = [f"{e.at} {e.type}" for e in expected]
    got = [f"{f.occurred_at.astimezone(zone):%H:%M} {f.type}" for f in findings]
    if wanted != got:
        yield f"expected {', '.join(wanted) or 'nothing'}; found {', '.join(got) or 'nothing'}"
        return
    for e, f in zip(expected, findings, strict=True):
        if e.severity is not None and e.severity != f.severity:
            yield f"{e.at} {e.type}: expected severity {e.severity}, found {f.severity}"


def _units(loaded: Loaded, expected: tuple[Expected, ...], results: list[LookResult], known: Catalog) -> Iterator[str]:
    """Of what was reported. Who mends a fault is said by the register of things, which a sentence knows nothing of."""
    faults = {type for detector in loaded.scene.detectors if detector.faults for type in detector.types}
    for e in expected:
        if e.type in faults and (e.dispatched_to or e.assisted_by):
            yield f"{e.at} {e.type}: is a fault; its unit is the one that the register of things names"
    reported = [e for e in expected if e.type not in faults]
    verdicts = [verdict for result in results for verdict in result.verdicts]
    for e, verdict in zip(reported, verdicts, strict=True):
        tasks = Task.objects.filter(case=verdict.case, state="open").values_list("lead", "unit__function")
        for lead, wanted in ((True, e.dispatched_to), (False, e.assisted_by)):
            got = sorted(function for leads, function in tasks if leads == lead)
            if wanted is not None and wanted not in got:
                part = "dispatched to" if lead else "assisted by"
                yield f"{e.at} {e.type}: expected {part} {wanted}, found {', '.join(got) or 'nobody'}"
