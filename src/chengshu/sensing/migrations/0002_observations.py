from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "observations.sql"


class Migration(migrations.Migration):
    dependencies = [("sensing", "0001_initial")]
    operations = [migrations.RunSQL(SQL.read_text(encoding="utf-8"))]
