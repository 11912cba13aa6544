"""Where the detectors of the scenes stand, what they were taught, and what was computed of what they saw."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from chengshu.cases.models import Case
from chengshu.places.models import City
from chengshu.sensing.models import Thing


class SceneState(models.Model):
    """What a detector remembers in a city: its state after the last batch, committed with the findings of that batch.

    `stream` keeps apart what may not mix: the city's own input (empty), a replay in true time, the rounds of a live replay.
    """

    city = models.ForeignKey(City, models.PROTECT, related_name="+")
    scene = models.TextField()
    detector = models.TextField()
    stream = models.TextField(default="")
    seen_until = models.DateTimeField(
        null=True, help_text="end of the last batch; an earlier batch is not looked at again"
    )
    state = models.JSONField(default=dict)
    late_from = models.DateTimeField(null=True, help_text="what came late since: from here it is to be looked at again")
    rewound_at = models.DateTimeField(null=True, help_text="when it last began again from a checkpoint")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["city", "scene", "detector", "stream"], name="scene_state_once"),
        ]


class Checkpoint(models.Model):
    """A detector's state as it was at an earlier time, from which it begins again when something comes late."""

    state_of = models.ForeignKey(SceneState, models.CASCADE, related_name="checkpoints")
    until = models.DateTimeField()
    state = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["state_of", "until"], name="scene_checkpoint_once")]


class Lesson(models.Model):
    """What a detector was taught for a local day of a city, as an Arrow file; kept, so that the day can be looked at again."""

    city = models.ForeignKey(City, models.PROTECT, related_name="+")
    scene = models.TextField()
    detector = models.TextField()
    day = models.DateField()
    since = models.DateTimeField(help_text="of the observations that taught it, as is until")
    until = models.DateTimeField()
    rows = models.IntegerField(help_text="observations that taught it")
    content = models.BinaryField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["city", "scene", "detector", "day"], name="scene_lesson_once"),
        ]


class Look(models.Model):
    """A window that a scene looked at and that was not empty: the lineage of the numbers computed of it."""

    city = models.ForeignKey(City, models.PROTECT, related_name="+")
    scene = models.TextField()
    source = models.TextField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    rows = models.IntegerField(help_text="observations in it")
    things = models.IntegerField(help_text="things that they tell of")
    findings = models.IntegerField()
    lesson = models.DateField(null=True, help_text="day of the lesson it was compared with")
    version = models.TextField(help_text="of the program that looked")
    at = models.DateTimeField(help_text="when it looked")

    class Meta:
        indexes = [models.Index(fields=["city", "scene", "source", "until"], name="scene_look_time")]


class Point(models.Model):
    """A value of an indicator at the end of a slot; of a single thing where it speaks of things."""

    look = models.ForeignKey(Look, models.CASCADE, related_name="points")
    city = models.ForeignKey(City, models.PROTECT, related_name="+")
    scene = models.TextField()
    indicator = models.TextField()
    thing = models.TextField(blank=True)
    at = models.DateTimeField()
    value = models.FloatField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["city", "scene", "indicator", "at", "thing"], name="scene_point_once"),
        ]


class Upkeep(models.Model):
    """A Thing that a maintenance case is about, until it is well again or the case has ended."""

    thing = models.ForeignKey(Thing, models.CASCADE, related_name="upkeep", db_index=False)
    case = models.ForeignKey(Case, models.CASCADE, related_name="+")
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["thing", "case"], name="upkeep_once")]
        indexes = [models.Index(fields=["case"], condition=Q(ended_at=None), name="upkeep_running")]
