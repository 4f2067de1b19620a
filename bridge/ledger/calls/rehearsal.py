"""A dry run of what a webhook does in Redis, so that a check can try what it vouches for.

The scripts are the webhook's own, on its own keys, for a call that cannot exist; what they write is removed
within the same script. Anything that would refuse a webhook refuses this: a missing permission, a read-only
or full server, a disk that does not take writes, a provider's quota.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline

from bridge.domain.webhook.events import Held
from bridge.ledger import scripts
from bridge.ledger.calls.learning import Retention, hold_delivery, learn_arguments
from bridge.ledger.keys import Lane

# No call has these ids: both readers refuse them (`bridge.domain.webhook.values`).
_UUID, _CALL_ID = UUID(int=0), 0
_NAME = "rehearsal"

_AGES_S = 100 * 365 * 86_400

REPLIES = 6


def ask(pipe: Pipeline | AsyncPipeline) -> None:
    """Put a dry learn and a dry hold into a pipeline; it has `REPLIES` replies, for `check`."""
    # Longer than anybody keeps anything: hold.lua removes what is past it.
    keep = Retention(events_s=_AGES_S, outputs_s=_AGES_S)
    event = learn_arguments(
        _UUID,
        _CALL_ID,
        _NAME,
        json.dumps({"trigger": _NAME, "body": "{}"}),
        "once",
        Lane.LIVE,
        keep,
        trigger=_NAME,
        received="webhook",
    )
    held = hold_delivery(Held(trigger=_NAME, fingerprint=_NAME, reason=_NAME), {}, keep)
    # A counter of its own: hold's is removed afterwards.
    held[1][3] = f"webhook:{_NAME}:held"
    for name, (keys, arguments) in (("rehearse_learn", event), ("rehearse_hold", held)):
        # The script itself as well: the next webhook need not load it.
        pipe.script_load(scripts.source(name.removeprefix("rehearse_")))
        pipe.script_load(scripts.source(name))
        pipe.evalsha(scripts.sha(name), len(keys), *keys, *arguments)


def check(replies: Sequence[Any]) -> None:
    """Raise the first error among the replies, which is what a webhook would meet."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
