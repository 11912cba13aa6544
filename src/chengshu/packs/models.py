"""What was changed in a city's configuration, by whom and why; packs that were sent in; posts that wait for a second person."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from chengshu.parties.models import Account, Department, Post
from chengshu.parties.roles import LABELS
from chengshu.places.models import City, Division


class Revision(models.Model):
    """One act that changed the configuration, all of it in one transaction. Append-only."""

    city = models.ForeignKey(City, models.CASCADE, related_name="revisions")
    version = models.PositiveIntegerField(help_text="of the city, after it")
    at = models.DateTimeField()
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", help_text="null: command line")
    post = models.ForeignKey(Post, models.PROTECT, null=True, related_name="+")
    how = models.TextField(choices=[(how, how) for how in ("pack", "edit", "return", "upload")])
    why = models.TextField()
    counts = models.JSONField(default=dict, help_text="'table action' → rows; of a first load all that is told")

    class Meta:
        indexes = [models.Index(fields=["city", "-id"], name="revision_city")]


class Alteration(models.Model):
    """One row that a revision changed: what it was and what it became. Append-only."""

    revision = models.ForeignKey(Revision, models.CASCADE, related_name="alterations")
    city = models.ForeignKey(City, models.CASCADE, related_name="+", db_index=False)
    table = models.TextField()
    key = models.TextField()
    action = models.TextField()
    before = models.JSONField(null=True)
    after = models.JSONField(null=True, help_text="null: it is no longer used")

    class Meta:
        indexes = [models.Index(fields=["city", "table", "key", "-id"], name="alteration_row")]


class Upload(models.Model):
    """A zip that was sent in and may be applied after its plan was read."""

    city = models.ForeignKey(City, models.CASCADE, related_name="uploads")
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    name = models.TextField()
    content = models.BinaryField()


class Proposal(models.Model):
    """A post that an administrator asked for, for themself or to make another one: it is given when a second one agrees."""

    city = models.ForeignKey(City, models.CASCADE, related_name="proposals")
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", help_text="who asks, and for whom")
    role = models.TextField(choices=[(role.value, label) for role, label in LABELS.items()])
    department = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+")
    division = models.ForeignKey(Division, models.PROTECT, related_name="+")
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)
    why = models.TextField()
    at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    agreed = models.BooleanField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=models.F("account")), name="proposal_second_person"
            )
        ]
        indexes = [models.Index(fields=["city"], condition=Q(agreed=None), name="proposal_open")]
