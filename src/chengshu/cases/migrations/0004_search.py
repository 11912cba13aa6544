from django.db import migrations, models

from chengshu.cases.telephones import key

# The end of a case's number and the places it lies in as terms of their own (core/text.py).
ENDS = """
    UPDATE cases_casetext t SET terms = t.terms || array_to_tsvector(
        ARRAY(SELECT 'division' || p FROM unnest(c.places[2:]) p) || ('serial' || reverse(substring(c.number FROM '[0-9]+$'))))
    FROM cases_case c WHERE c.id = t.case_id
"""


def fill(apps, editor):
    contacts = apps.get_model("cases", "Contact").objects
    for contact in contacts.exclude(phone="").iterator(chunk_size=1000):
        contacts.filter(pk=contact.pk).update(phone_key=key(contact.phone))


class Migration(migrations.Migration):
    dependencies = [("cases", "0003_limits_of_kinds")]
    operations = [
        migrations.AddField(
            model_name="contact",
            name="phone_key",
            field=models.TextField(
                blank=True, default="", help_text="keyed digest of the telephone, by which it is looked for"
            ),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                fields=["phone_key"], condition=models.Q(("phone_key", ""), _negated=True), name="contact_phone"
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunSQL(ENDS, migrations.RunSQL.noop),
    ]
