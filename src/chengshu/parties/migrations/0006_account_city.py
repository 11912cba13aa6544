"""In which city an account was made: only its administrators see it before it has a post."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("parties", "0005_cache"), ("places", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="city",
            field=models.ForeignKey(
                help_text="whose administrators see it before it has a post", null=True,
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="places.city",
            ),
        ),
    ]
