import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('cases', '0002_functions'),
        ('parties', '0001_initial'),
        ('places', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CountedUntil',
            fields=[
                ('city', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='places.city')),
                ('until', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Handover',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('start', models.DateTimeField()),
                ('end', models.DateTimeField()),
                ('facts', models.JSONField(help_text='the numbers and lists as they stood when it was signed')),
                ('note', models.TextField(blank=True)),
                ('at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('division', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='places.division')),
                ('post', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='parties.post')),
            ],
        ),
        migrations.CreateModel(
            name='ShiftNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('start', models.DateTimeField(help_text='of the shift')),
                ('text', models.TextField()),
                ('at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('case', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='cases.case')),
                ('division', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='places.division')),
                ('post', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='parties.post')),
            ],
        ),
        migrations.CreateModel(
            name='DailyCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(help_text="in the city's zone")),
                ('measure', models.TextField()),
                ('due', models.IntegerField()),
                ('good', models.IntegerField(help_text='null for a plain count', null=True)),
                ('city', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='places.city')),
                ('division', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='places.division')),
                ('unit', models.ForeignKey(db_index=False, help_text='null: all units together', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='parties.department')),
            ],
            options={
                'indexes': [models.Index(fields=['city', 'measure', 'day'], name='daily_count_day')],
                'constraints': [models.UniqueConstraint(fields=('division', 'measure', 'unit', 'day'), name='daily_count_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='Takeover',
            fields=[
                ('handover', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='takeover', serialize=False, to='evaluation.handover')),
                ('note', models.TextField(blank=True)),
                ('at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('post', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='parties.post')),
                ('signed_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddConstraint(
            model_name='handover',
            constraint=models.UniqueConstraint(fields=('division', 'start'), name='handover_once'),
        ),
        migrations.AddIndex(
            model_name='shiftnote',
            index=models.Index(fields=['division', 'start'], name='shift_note_shift'),
        ),
        migrations.AddConstraint(
            model_name='takeover',
            constraint=models.CheckConstraint(condition=models.Q(('account', models.F('signed_by')), _negated=True), name='takeover_by_another'),
        ),
        migrations.RunSQL(
            """
            -- Steps are written in the order of time: a block range index finds those of a shift, or the newest, for a few kB.
            CREATE INDEX step_recorded ON cases_step USING brin (recorded_at) WITH (pages_per_range = 32, autosummarize = on);
            CREATE INDEX step_at ON cases_step USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
            -- A takeover names whoever really signed.
            ALTER TABLE evaluation_handover ADD CONSTRAINT handover_signed_by UNIQUE (id, account_id);
            ALTER TABLE evaluation_takeover ADD CONSTRAINT takeover_of_signature
                FOREIGN KEY (handover_id, signed_by_id) REFERENCES evaluation_handover (id, account_id);
            CREATE TRIGGER evaluation_shiftnote_append_only BEFORE UPDATE OR DELETE ON evaluation_shiftnote
                FOR EACH ROW EXECUTE FUNCTION chengshu_append_only();
            CREATE TRIGGER evaluation_handover_append_only BEFORE UPDATE OR DELETE ON evaluation_handover
                FOR EACH ROW EXECUTE FUNCTION chengshu_append_only();
            CREATE TRIGGER evaluation_takeover_append_only BEFORE UPDATE OR DELETE ON evaluation_takeover
                FOR EACH ROW EXECUTE FUNCTION chengshu_append_only();
            """,
        ),
    ]
