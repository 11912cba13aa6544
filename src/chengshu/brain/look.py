"""look(): observations through the detectors of a scene, once; findings, state and cases commit together or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import groupby

import polars as pl

from chengshu.brain.act import act
from chengshu.brain.models import SceneState
from chengshu.brain.records import Batch, Knowledge, Loaded, LookResult, ReplayLabel
from chengshu.cases.catalog import Catalog, catalog
from chengshu.cases.records import NewReport
from chengshu.cases.report import report
from chengshu.cases.writing import again
from chengshu.core.errors import Invalid
from chengshu.logs import get_logger
from chengshu.parties.principal import Principal, system
from chengshu.scene import Detector, Finding, Seen, Window, aware
from chengshu.sensing import liveness

log = get_logger(__name__)
_NOTHING = pl.DataFrame()


def look(
    loaded: Loaded,
    batch: Batch,
    *,
    city: int,
    at: datetime,
    knowledge: Knowledge,
    actor: Principal | None = None,
    stream: str = "",
    replay_of: ReplayLabel | None = None,
) -> LookResult:
    """Look at a batch with every detector of its source that has not seen it, and report what they find.

    One transaction: the rows of `SceneState` are locked, what is not newer than them is left out, then state, reports, cases and
    the moves that follow by rule are written. Looking at the same batch again finds nothing new; after a crash it finds the same.

    Args:
        at: when the platform learns of it: the time of the reports and moves.
        stream: keeps a replay apart from the city's own input.
        replay_of: how a replayed finding is labelled; it then occurred `at`, and its facts hold its true time.

    Raises:
        Invalid: when a detector finds something of a type it did not declare.
    """
    return again(partial(_look, loaded, batch, catalog(city), aware(at, "at"), knowledge, actor, stream, replay_of))


def _look(
    loaded: Loaded,
    batch: Batch,
    known: Catalog,
    at: datetime,
    knowledge: Knowledge,
    actor: Principal | None,
    stream: str,
    replay_of: ReplayLabel | None,
) -> LookResult:
    found: list[Finding] = []
    faults: list[Finding] = []
    skipped: list[str] = []
    for detector, row in _locked(loaded, batch.source, known.city.pk, stream):
        if row.seen_until is not None and row.seen_until >= batch.end:
            skipped.append(detector.name)
            continue
        seen = run(loaded, detector, batch.since(row.seen_until), known, knowledge, row.state)
        (faults if detector.faults else found).extend(seen.findings)
        row.state, row.seen_until = dict(seen.state), batch.end
        row.save(update_fields=["state", "seen_until"])
    if not stream:
        _faulty(faults, knowledge.things.get(batch.source, _NOTHING), at)
    findings = [retold(finding, at, replay_of) for finding in found]
    result = _reported(loaded, findings, found, known, at, actor, stream, tuple(skipped))
    return replace(result, faults=tuple(faults))


def _faulty(faults: Sequence[Finding], things: pl.DataFrame, at: datetime) -> None:
    """Say in the register of things which are faulty. What is only replayed is none of its business."""
    ids = dict(things.select("thing", "id").iter_rows()) if {"thing", "id"} <= set(things.columns) else {}
    for title, same in groupby(sorted(faults, key=lambda fault: fault.title), key=lambda fault: fault.title):
        concerned = {ids[thing] for fault in same if (thing := fault.facts.get("thing")) in ids}
        if concerned:
            liveness.mark_faulty(concerned, at=at, why=title)


def _locked(loaded: Loaded, source: str, city: int, stream: str) -> list[tuple[Detector, SceneState]]:
    """The detectors of a source with their rows, locked in the order of their names."""
    detectors = {detector.name: detector for detector in loaded.scene.detectors if detector.source == source}
    own = SceneState.objects.filter(city_id=city, scene=loaded.scene.name, stream=stream, detector__in=detectors)
    missing = detectors.keys() - set(own.values_list("detector", flat=True))
    SceneState.objects.bulk_create(
        [SceneState(city_id=city, scene=loaded.scene.name, stream=stream, detector=name) for name in sorted(missing)],
        ignore_conflicts=True,
    )
    return [(detectors[row.detector], row) for row in own.select_for_update().order_by("detector")]


def run(
    loaded: Loaded, detector: Detector, batch: Batch, known: Catalog, knowledge: Knowledge, state: dict[str, object]
) -> Seen:
    """One detector over one batch. Pure but for reading the catalog. Raises `Invalid` for a type that was not declared."""
    seen = detector.detect(
        window(loaded, batch, known, knowledge, taught=knowledge.taught.get(detector.name), state=state)
    )
    for finding in seen.findings:
        if finding.type not in detector.types:
            raise Invalid(
                f"It found {finding.type!r}, which it does not declare.",
                where=f"{loaded.scene.name}.{detector.name}",
                remedy="Add the type to `types` of the detector in scene.py.",
            )
    return seen


def window(
    loaded: Loaded,
    batch: Batch,
    known: Catalog,
    knowledge: Knowledge,
    *,
    taught: pl.DataFrame | None = None,
    state: dict[str, object] | None = None,
) -> Window:
    """A batch as a scene's functions see it, with the city's zone, language, working days, and the parameters of its last day."""
    return Window(
        frame=batch.frame,
        start=batch.start,
        end=batch.end,
        zone=known.zone,
        things=knowledge.things.get(batch.source, _NOTHING),
        taught=_NOTHING if taught is None else taught,
        params=loaded.params.at(batch.start.astimezone(known.zone).date()),
        working=known.calendar.is_working,
        say=partial(loaded.say, known.city.language),
        state=state or {},
    )


def retold(finding: Finding, at: datetime, replay_of: ReplayLabel | None) -> Finding:
    """A finding as it is; that of a labelled replay as if it occurred now, with its true time in its facts."""
    if replay_of is None:
        return finding
    facts = {**finding.facts, "replay": True, "true_time": finding.occurred_at.isoformat()}
    return replace(
        finding,
        title=f"{replay_of.mark}{finding.title}",
        description=f"{finding.description}\n{replay_of.sentence}",
        occurred_at=at,
        facts=facts,
    )


def _reported(
    loaded: Loaded,
    findings: Sequence[Finding],
    originals: Sequence[Finding],
    known: Catalog,
    at: datetime,
    actor: Principal | None,
    stream: str,
    skipped: tuple[str, ...],
) -> LookResult:
    """Report findings and make the moves that follow. The origin's key has the true time, so that a replay says the same."""
    if not findings:
        return LookResult(skipped=skipped)
    who = actor or system(known.city.pk, known.root)
    reports = [
        _report(finding, original.occurred_at, known.city.name, stream)
        for finding, original in zip(findings, originals, strict=True)
    ]
    verdicts = report(reports, city=known.city.pk, actor=who, at=at)
    acted = act(loaded, findings, verdicts, known=known, actor=who, at=at)
    for finding, verdict in zip(findings, verdicts, strict=True):
        log.info("scene.finding_reported", scene=finding.scene, key=finding.key, verdict=verdict.verdict)
    return LookResult(findings=tuple(findings), verdicts=tuple(verdicts), acted=acted, skipped=skipped)


def _report(finding: Finding, true_time: datetime, city: str, stream: str) -> NewReport:
    """A finding as a report. Keys carry city and stream, for cities and replays do not share cases."""
    key = "/".join(filter(None, (city, stream, finding.key)))
    return NewReport(
        origin=f"scene:{finding.scene}",
        origin_key=f"{key}@{aware(true_time, finding.key).isoformat()}",
        type=finding.type,
        title=finding.title,
        description=finding.description,
        severity=finding.severity,
        occurred_at=finding.occurred_at,
        source="sensing",
        scene=finding.scene,
        key=key,
        place_text=finding.place,
        lon=finding.lon,
        lat=finding.lat,
        division=finding.division,
        unit=finding.unit,
        payload={"key": finding.key, **finding.facts},
    )
