"""The one shape of a refusal over HTTP: RFC 9457 problem+json."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

KIND = "application/problem+json"


def problem(
    status: int, detail: str, *, where: str = "", remedy: str = "", errors: Sequence[dict[str, Any]] = ()
) -> bytes:
    """The body of a problem: what is wrong, where, and what to do; `errors` tells each mistake, where there are several."""
    return msgspec.json.encode(
        {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "instance": where,
            "remedy": remedy,
            "errors": errors,
        }
    )
