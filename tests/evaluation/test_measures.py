"""The registry of measures: every number is defined once, in both languages."""

from __future__ import annotations

from chengshu.evaluation.measures import MEASURES, of_kind


def test_every_measure_is_defined_in_both_languages_and_for_some_subject() -> None:
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)
    for measure in MEASURES:
        words = [measure.label, measure.due_label, measure.definition, measure.source]
        assert all(text.zh and text.en for text in words)
        assert (measure.good is None) == (measure.good_label is None)
        assert any(measure in of_kind(kind) for kind in measure.kinds)
