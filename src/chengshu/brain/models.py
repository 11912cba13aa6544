"""Where the detectors of the scenes stand."""

from __future__ import annotations

from django.db import models

from chengshu.places.models import City


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

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["city", "scene", "detector", "stream"], name="scene_state_once"),
        ]
