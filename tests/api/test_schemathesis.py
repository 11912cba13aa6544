"""Whatever the API's own description allows, and much that it does not: never a fault, never an undocumented answer."""

from __future__ import annotations

import json
from itertools import cycle
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from chengshu.api.urls import api
from tests import running

# In turn, so that every operation is called by everybody.
CALLERS = cycle(
    [
        ("operator", "operator"),
        ("handler", "handler"),
        ("verifier", "verifier"),
        ("admin", "administrator"),
        ("citizen", "citizen"),
    ]
)
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


schema = schemathesis.openapi.from_dict(json.loads(json.dumps(api.get_openapi_schema(), default=str)))


@pytest.mark.slow
@schema.parametrize()
@hypothesis.settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=False
)
def test_every_operation(case: schemathesis.Case[Any]) -> None:
    word = running.token(*next(CALLERS))
    case.call_and_validate(
        base_url=running.city().url, headers={"Authorization": f"Bearer {word}"}, checks=CHECKS, timeout=30
    )
