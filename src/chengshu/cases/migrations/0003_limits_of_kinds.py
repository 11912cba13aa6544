from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0002_functions")]
    operations = [
        migrations.AddField(
            model_name="kind",
            name="limits",
            field=models.JSONField(default=dict, help_text="stage → limit, for cases without a type"),
        ),
        migrations.AddIndex(
            model_name="case",
            index=models.Index(condition=models.Q(("suspended", True)), fields=["id"], name="case_suspended"),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.CheckConstraint(
                condition=models.Q(("closed_at", None), ("due_at", None), _connector="OR"), name="case_ended_is_not_due"
            ),
        ),
    ]
