"""What the jobs of calls are at: due, running, waiting or parked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import redis

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.record import moment
from bridge.ledger.keys import LANE_NAMES, QUEUE_KEYS, Lane
from bridge.ledger.queue.kinds import OF_CALLS


@boundary("ledger.job_states")
def job_states(client: redis.Redis, calls: Sequence[Sequence[str]]) -> list[list[dict[str, Any]]]:
    """The jobs of each call, in two round trips for all of them.

    Args:
        calls: of each call the keys of its records: its own, and that of its other part where there is one.

    Returns:
        For each call, of each of its jobs: kind, state, lane, `at` (when due, or parked since), attempts,
        deliveries, cause and error.
    """
    whose = [
        (i, kind, keys.job(kind, key)) for i, own in enumerate(calls) for key in own for kind in OF_CALLS
    ]
    found: list[list[dict[str, Any]]] = [[] for _ in calls]
    if not whose:
        return found
    texts = cast(list[str | None], client.hmget(keys.JOBS, [name for _, _, name in whose]))
    there = [(*one, json.loads(text)) for one, text in zip(whose, texts, strict=True) if text]
    pipe = client.pipeline(transaction=False)
    pipe.time()
    for _, _, name, job in there:
        lane = Lane(job["lane"])
        pipe.zscore(keys.PARKED, name)
        pipe.zscore(QUEUE_KEYS[3 + lane], name)
        pipe.zscore(QUEUE_KEYS[lane - 1], name)
        pipe.zscore(QUEUE_KEYS[7 + lane], name)
    (seconds, micros), *scores = pipe.execute()
    now = int(seconds) * 1000 + int(micros) // 1000
    for at, (i, kind, _, job) in enumerate(there):
        parked, leased, due, handed = scores[4 * at : 4 * at + 4]
        # One on its way to a worker is still due; its score is when it would be handed out again.
        due = now if (handed or 0) > now else due
        state = (
            "parked"
            if parked is not None
            else "running"
            if (leased or 0) > now
            else "due"
            if (due or 0) <= now
            else "waiting"
        )
        when = moment(parked or due or now)
        found[i].append(
            {
                "kind": kind,
                "state": state,
                "lane": LANE_NAMES[Lane(job["lane"])],
                "at": when.isoformat() if when else None,
                "attempts": int(job["attempts"]),
                "deliveries": int(job["deliveries"]),
                "cause": job.get("cause"),
                "error": job.get("error"),
            }
        )
    return found
