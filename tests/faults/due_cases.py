"""Reports and assigns cases that fall due within seconds, through the verbs: `python -m tests.faults.due_cases COUNT SECONDS`."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chengshu.settings")
django.setup()

from chengshu.cases.advance import advance  # noqa: E402
from chengshu.cases.catalog import catalog  # noqa: E402
from chengshu.cases.records import MoveRequest, NewReport  # noqa: E402
from chengshu.cases.report import report  # noqa: E402
from chengshu.parties.principal import system  # noqa: E402
from chengshu.places.models import City  # noqa: E402


def main(count: int, seconds: float) -> None:
    """Cases whose limits end evenly within the next `seconds`, each with a unit that somebody handles for."""
    known = catalog(City.objects.get(name="boston").pk)
    actor = system(known.city.pk, known.root)
    now = datetime.now(UTC)
    reports = [
        NewReport(
            origin="faults", origin_key=f"due-{i}", title=f"Due soon {i}", type="street-light-outages", occurred_at=now,
            due_at=now + timedelta(seconds=2 + seconds * i / count),
        )
        for i in range(count)
    ]  # fmt: skip
    verdicts = report(reports, city=known.city.pk, actor=actor, at=now)
    moved = advance([MoveRequest(case=verdict.case, move="assign") for verdict in verdicts], actor=actor, at=now)
    assert all(verdict.ok for verdict in [*verdicts, *moved])


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
