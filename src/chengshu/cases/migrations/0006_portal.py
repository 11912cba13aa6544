"""Indexes for the public pages: what was settled in a cell, and which cases an account joined."""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("cases", "0004_search")]

    operations = [
        migrations.AddIndex(
            model_name="case",
            index=models.Index(
                F("cell"), F("closed_at").desc(), condition=Q(closed_at__isnull=False), name="case_closed_cell"
            ),
        ),
        migrations.AlterField(
            model_name="contact",
            name="secret",
            field=models.TextField(
                blank=True,
                help_text="digest of the word, or of the account that joined, by which the case is followed",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(fields=["secret"], condition=~Q(secret=""), name="contact_secret"),
        ),
    ]
