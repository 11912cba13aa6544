"""Cities, their divisions with validity dates, boundaries, and the versioned parts of a city pack."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Deferrable, F, Func, Q, Value


class Level(models.IntegerChoices):
    """The five levels of city management (GB/T 30428.1 names the last one 单元网格)."""

    CITY = 1, "city"
    DISTRICT = 2, "district"
    STREET = 3, "street"
    COMMUNITY = 4, "community"
    GRID = 5, "grid"


class City(models.Model):
    """A city that this installation serves: what its pack says of it as a whole."""

    name = models.SlugField(unique=True)
    label = models.TextField()
    label_en = models.TextField()
    timezone = models.TextField()
    language = models.TextField()
    number_prefix = models.TextField(unique=True)
    about = models.JSONField(default=dict, help_text="center, level names, sources, what is synthetic")
    digest = models.TextField(default="", help_text="of the pack last loaded")
    version = models.PositiveIntegerField(default=0, help_text="rises with every change of configuration")


class Division(models.Model):
    """An administrative division as it stood from `valid_from` until before `valid_to`."""

    city = models.ForeignKey(City, models.PROTECT, related_name="divisions")
    code = models.TextField(help_text="GB/T 2260 and the statistics bureau's longer codes, or the city's own")
    name = models.TextField()
    name_en = models.TextField(blank=True)
    level = models.SmallIntegerField(choices=Level.choices)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    path = ArrayField(models.BigIntegerField(), default=list, help_text="ids from the city down to itself")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, help_text="exclusive")
    source = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["city", "code", "valid_from"], name="division_code_once"),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gt=F("valid_from")), name="division_validity"
            ),
            ExclusionConstraint(
                name="division_code_one_at_a_time",
                deferrable=Deferrable.DEFERRED,  # a pack that moves a boundary in time changes two rows
                expressions=[
                    ("city", RangeOperators.EQUAL),
                    ("code", RangeOperators.EQUAL),
                    (Func("valid_from", "valid_to", Value("[)"), function="daterange"), RangeOperators.OVERLAPS),
                ],
            ),
        ]
        indexes = [GinIndex(fields=["path"], name="division_path")]


class DivisionChange(models.Model):
    """`successor` took over from `predecessor`, wholly or in part, on `date`."""

    predecessor = models.ForeignKey(Division, models.CASCADE, related_name="successions")
    successor = models.ForeignKey(Division, models.CASCADE, related_name="origins")
    date = models.DateField()
    note = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["predecessor", "successor"], name="division_change_once")]


class Boundary(models.Model):
    """The outline of a division: WGS 84, as well-known binary. A division without one has no known boundary."""

    division = models.OneToOneField(Division, models.CASCADE, related_name="boundary")
    wkb = models.BinaryField()
    source = models.TextField()


class BoundaryCell(models.Model):
    """An H3 cell (resolution 8) that touches a boundary's area; `whole` when it lies wholly inside."""

    boundary = models.ForeignKey(Boundary, models.CASCADE, related_name="cells")
    cell = models.BigIntegerField(db_index=True)
    whole = models.BooleanField()


class Part(models.Model):
    """One version of a part of the city's configuration: dispatch, escalation, calendar, parameters, sources.

    The active version is used; earlier ones stay, with who changed what and why.
    """

    city = models.ForeignKey(City, models.CASCADE, related_name="parts")
    name = models.TextField()
    version = models.PositiveIntegerField()
    value = models.JSONField()
    active = models.BooleanField(default=True)
    at = models.DateTimeField()
    by = models.TextField(help_text="account name, or the pack")
    why = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["city", "name", "version"], name="part_version_once"),
            models.UniqueConstraint(fields=["city", "name"], condition=Q(active=True), name="part_one_active"),
        ]
