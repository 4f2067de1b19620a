"""The call that all journeys and visits are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support import ended

CALL_ID = 1000000500
UUID = "11111111-2222-4333-8444-555555555500"
KEY = f"uuid:{UUID}"
NUMBER = "+441632960304"
# Every process that the test starts is told the same.
ENDED: dict[str, Any] = ended()
UPLOADED = {"call_id": CALL_ID, "call_uuid": UUID}
MODIFIED = {"call_id": str(CALL_ID), "call_uuid": UUID}
_TIMES = ("started_at", "answered_at", "ended_at")


def call_times() -> dict[str, str]:
    """When the call was."""
    return {name: ENDED[name] for name in _TIMES}


def move(times: Mapping[str, str] | None = None) -> None:
    """Have it be a call of then, or of just now: ten minutes later some things would be told too late."""
    ENDED.update(times or {name: ended()[name] for name in _TIMES})
