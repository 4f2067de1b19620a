"""What was last seen of the bridge, its Redis and its storage, for the metrics of every process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import redis
from redis.exceptions import NoPermissionError, ResponseError

from bridge.boundary import boundary
from bridge.ledger import keys

# In the hash `meta`. Points in time are seconds since 1970.
_PREFIX = "seen:"
LAST_WEBHOOK = f"{_PREFIX}last_webhook_at"
NAMES = (
    "last_webhook_at",
    "last_reconcile_at",
    "last_audit_at",
    "calls_duplicated",
    "storage_bytes",
    "storage_objects",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    Attributes:
        seen: by name; what nobody has seen yet is not there.
        calls_missing: of the last comparison with CloudTalk's list, or audit.
        server: Redis' INFO of itself; empty where it does not tell us.
    """

    seen: Mapping[str, float] = field(default_factory=dict)
    calls_missing: int = 0
    server: Mapping[str, Any] = field(default_factory=dict)


@boundary("facts.read")
def read_facts(client: redis.Redis) -> Facts:
    texts = cast(
        list[str | None], client.hmget(keys.META, [*(f"{_PREFIX}{name}" for name in NAMES), "calls_missing"])
    )
    missing = texts.pop()
    server: dict[str, Any] = {}
    try:
        for section in ("memory", "persistence"):
            server |= client.info(section)
    except (NoPermissionError, ResponseError):
        # A provider that does not let us.
        server = {}
    seen = {name: float(text) for name, text in zip(NAMES, texts, strict=True) if text is not None}
    return Facts(seen=seen, calls_missing=int(missing or 0), server=server)


@boundary("facts.keep")
def keep_facts(client: redis.Redis, facts: Mapping[str, float]) -> None:
    """What several processes see (`last_webhook_at`) does not go back, save by a race of seconds."""
    if "last_webhook_at" in facts:
        known = cast(str | None, client.hget(keys.META, LAST_WEBHOOK))
        facts = {**facts, "last_webhook_at": max(facts["last_webhook_at"], float(known or 0))}
    client.hset(keys.META, mapping={f"{_PREFIX}{name}": repr(value) for name, value in facts.items()})
