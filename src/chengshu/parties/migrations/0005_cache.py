"""The table of Django's database cache, which all processes share. Unlogged: what it holds lives for seconds."""

from django.db import migrations

CREATE = """
    CREATE UNLOGGED TABLE parties_cache (cache_key varchar(255) PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);
    CREATE INDEX parties_cache_expires ON parties_cache (expires)
"""


class Migration(migrations.Migration):
    dependencies = [("parties", "0004_channels")]

    operations = [migrations.RunSQL(CREATE, "DROP TABLE parties_cache")]
