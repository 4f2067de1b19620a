"""Which calls were forgotten on request, by marks that name nobody: see `lua/calls/forget.lua`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast

import redis

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.record_fields import Field, State


@boundary("tombstones.forgotten_at")
def forgotten_at(client: redis.Redis, names: Sequence[str]) -> list[float | None]:
    """Since when each of these calls is forgotten, in ms since 1970; None: it is not.

    Args:
        names: keys of calls, under any of their ids.
    """
    secret = cast(str | None, client.hget(keys.META, "forget_secret"))
    if secret is None or not names:
        return [None] * len(names)
    return client.zmscore(keys.FORGOTTEN, [mark(secret, name) for name in names])


def mark(secret: str, name: str) -> str:
    """As the scripts make it."""
    return hashlib.sha1(f"{secret}|{name}".encode(), usedforsecurity=False).hexdigest()


def tombstone(at_ms: float) -> dict[str, str]:
    """What is known of a forgotten call, as the fields of a record."""
    return {
        Field.FORGOTTEN: str(int(at_ms)),
        Field.STATE: State.SKIPPED,
        Field.REASON: "forgotten on request",
    }
