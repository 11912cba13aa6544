from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "functions.sql"


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_initial"), ("parties", "0001_initial")]
    operations = [migrations.RunSQL(SQL.read_text(encoding="utf-8"))]
