"""Every address × every role has the outcome that matrix/ says; a new address without a row fails."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from django.db import transaction

from chengshu.cases import catalog
from chengshu.places.models import City
from tests.web import permissions as matrix
from tests.web.world import world


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    assert {row.name for row in matrix.rows()} == set(matrix.expected())


def test_every_row_says_something_of_every_role() -> None:
    wrong = {
        name: set(matrix.ROLES) ^ set(row) for name, row in matrix.expected().items() if set(row) != set(matrix.ROLES)
    }
    assert not wrong


@pytest.mark.django_db
def test_everybody_gets_what_the_matrix_says(hangzhou: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHENGSHU_DEMO_PASSWORD", "toys for everybody")
    made = world(hangzhou, tmp_path)
    expected = matrix.expected()
    wrong: Counter[str] = Counter()
    for row in matrix.rows():
        for role in matrix.ROLES:
            with transaction.atomic():
                got = matrix.outcome(row, role, made)
                transaction.set_rollback(True)
            if got == "ok" and row.method != "GET" and row.route.startswith(("/admin", "/rules", "/api/rules")):
                catalog.forget()  # what was saved has been taken back
            if got != expected[row.name][role]:
                wrong[f"{row.name} as {role}: {got} instead of {expected[row.name][role]}"] += 1
    assert not wrong, "\n".join(wrong)
