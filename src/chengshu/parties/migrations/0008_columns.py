"""An account remembers which columns its list of the desk has."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("parties", "0007_gateway")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="columns",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                help_text="of its list of cases on the desk, where it chose them",
                null=True,
                size=None,
            ),
        ),
    ]
