"""What evaluation keeps of its own: counts of each day, and who handed the room over to whom."""

from __future__ import annotations

from django.db import models
from django.db.models import F

from chengshu.cases.models import Case
from chengshu.parties.models import Account, Department, Post
from chengshu.places.models import City, Division


class DailyCount(models.Model):
    """How many rows of a measure belong to a day of the city, and how many of them are good.

    Rolled up: there is a row for each division from the city down to where a case lies, and for city and districts one
    for each unit beside. All of it follows from the cases and can be made again (`chengshu counts --rebuild`).
    """

    city = models.ForeignKey(City, models.CASCADE, related_name="+", db_index=False)
    day = models.DateField(help_text="in the city's zone")
    measure = models.TextField()
    division = models.ForeignKey(Division, models.CASCADE, related_name="+", db_index=False)
    unit = models.ForeignKey(
        Department, models.CASCADE, null=True, related_name="+", db_index=False, help_text="null: all units together"
    )
    due = models.IntegerField()
    good = models.IntegerField(null=True, help_text="null for a plain count")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["division", "measure", "unit", "day"], name="daily_count_once", nulls_distinct=False
            ),
        ]
        indexes = [models.Index(fields=["city", "measure", "day"], name="daily_count_day")]


class CountedUntil(models.Model):
    """Up to which moment of recording the daily counts of a city take the steps into account."""

    city = models.OneToOneField(City, models.CASCADE, primary_key=True, related_name="+")
    until = models.DateTimeField()


class ShiftNote(models.Model):
    """A remark for the next shift, on a case or on the shift as a whole. Append-only."""

    division = models.ForeignKey(Division, models.PROTECT, related_name="+", db_index=False)
    start = models.DateTimeField(help_text="of the shift")
    case = models.ForeignKey(Case, models.PROTECT, null=True, related_name="+", db_index=False)
    text = models.TextField()
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    post = models.ForeignKey(Post, models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["division", "start"], name="shift_note_shift")]


class Handover(models.Model):
    """A shift signed off by whoever led it, with what was told then. Append-only."""

    division = models.ForeignKey(Division, models.PROTECT, related_name="+", db_index=False)
    start = models.DateTimeField()
    end = models.DateTimeField()
    facts = models.JSONField(help_text="the numbers and lists as they stood when it was signed")
    note = models.TextField(blank=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    post = models.ForeignKey(Post, models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["division", "start"], name="handover_once")]


class Takeover(models.Model):
    """A shift taken over by another person than the one who signed it off. Append-only.

    `signed_by` repeats the account of the handover (held equal by a foreign key), so that a check can compare the two.
    """

    handover = models.OneToOneField(Handover, models.PROTECT, primary_key=True, related_name="takeover")
    signed_by = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    post = models.ForeignKey(Post, models.PROTECT, related_name="+", db_index=False)
    note = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(account=F("signed_by")), name="takeover_by_another"),
        ]
