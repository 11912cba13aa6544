"""What the pages keep for an account."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from chengshu.parties.models import Account, Department


class SavedView(models.Model):
    """A list of the desk that somebody named: its filters and order, kept for them and perhaps for their department."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="saved_views")
    name = models.TextField()
    query = models.JSONField(default=dict, help_text="view, filters and order, as in the address of the desk")
    department = models.ForeignKey(
        Department, models.CASCADE, null=True, related_name="+", help_text="whose people see it too"
    )
    pinned = models.BooleanField(default=True, help_text="stands as a tab above the owner's lists")
    first = models.BooleanField(default=False, help_text="what the owner's desk opens with")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="saved_view_once"),
            models.UniqueConstraint(fields=["account"], condition=Q(first=True), name="saved_view_one_first"),
        ]
