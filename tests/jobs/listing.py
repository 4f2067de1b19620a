"""Times, spans and webhooks of calls that CloudTalk lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.reconcile.compare import Span
from bridge.sandbox.running import RunningSandbox
from tests.support import ended


def now() -> datetime:
    return datetime.now(UTC)


def ago(**span: float) -> datetime:
    return now() - timedelta(**span)


def lists(sandbox: RunningSandbox) -> int:
    return sum(one.path.endswith("/calls/index.json") for one in sandbox.cloudtalk.requests)


def webhook_of(call: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The `call-ended` webhook that tells what the sandbox knows of a call."""
    result = {name: call[name] for name in ("started_at", "answered_at", "ended_at")}
    numbers = {"external_number": call["external_number"], "internal_number": call["internal_number"]}
    return ended(call_id=call["id"], uuid=call["uuid"], **result, **numbers, **more)


def the_day() -> Span:
    return Span(since=ago(hours=24), until=now())


def key_of(sandbox: RunningSandbox) -> dict[str, str]:
    """What signs a request of somebody else in to the sandbox's Kustomer."""
    return {"authorization": f"Bearer {sandbox.environ()['KUSTOMER_API_KEY']}"}
