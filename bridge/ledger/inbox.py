"""The web process's side of the ledger: one round trip a delivery, nothing that blocks the event loop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import redis.asyncio

from bridge.boundary import boundary
from bridge.domain.events import Event, Held, canonical_json
from bridge.ledger import keys, scripts
from bridge.ledger.learning import Learnt, Retention, counted, learn_event


class Inbox:
    """Keeps deliveries. All methods raise redis-py's errors: the caller answers 503 and is asked again."""

    def __init__(self, client: redis.asyncio.Redis, *, keep: Retention | None = None) -> None:
        self._redis = client
        self._keep = keep or Retention()
        self._learn = client.register_script(scripts.source("learn"))
        self._hold = client.register_script(scripts.source("hold"))

    async def learn(self, event: Event, body: Mapping[str, Any]) -> Learnt:
        """Keep an event under its call, once, and have the call looked at: one Lua call."""
        names, arguments = learn_event(event, body, self._keep)
        with boundary("inbox.learn"):
            status, key = await self._learn(keys=names, args=arguments)
        return Learnt(status=status, key=key)

    async def hold(self, held: Held, body: Mapping[str, Any], *, answer: str = "held") -> None:
        """Keep a delivery that cannot be tied to a call."""
        value = {"trigger": held.trigger, "reason": held.reason, "body": canonical_json(body)}
        counter = f"webhook:{counted(held.trigger)}:{answer}"
        with boundary("inbox.hold"):
            await self._hold(
                keys=[keys.HELD, keys.HELD_AT, keys.COUNTS],
                args=[held.fingerprint, json.dumps(value), self._keep.events_s * 1000, counter],
            )

    async def refuse(self, trigger: str, cause: str) -> None:
        """Count a delivery that was not let in, by its cause; its body is not kept."""
        with boundary("inbox.refuse"):
            await self._redis.hincrby(keys.COUNTS, f"refused:{trigger}:{cause}", 1)

    async def ready(self) -> None:
        """Raises unless Redis can be written and has the scripts."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.hincrby(keys.META, "ready_checks", 1)
        pipe.script_load(scripts.source("learn"))
        pipe.script_load(scripts.source("hold"))
        with boundary("inbox.ready"):
            await pipe.execute()

    async def close(self) -> None:
        await self._redis.aclose()
