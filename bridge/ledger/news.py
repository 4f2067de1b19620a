"""What changed since a moment ago, in one round trip: for pages that follow what happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger

# So many calls are named at once; whoever follows looks at the list then.
_MOST_CALLS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look saw.

    Attributes:
        state: the newest delivery, how many jobs are parked and events held, what was written of late: where
            two looks differ in it, something happened.
        calls: key of a call -> when something was learnt of it, of those since the look before.
        since_ms: from when on the next look names calls.
    """

    state: tuple[Any, ...]
    parked: int
    held: int
    calls: dict[str, float]
    since_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What happened between two looks."""

    calls: list[str]
    parked: int
    held: int


@boundary("news.look")
def look(ledger: Ledger, before: Look | None = None) -> Look:
    """See how things stand. Without `before`, no calls are named."""
    now_ms = ledger.now_ms()
    since = before.since_ms if before is not None else now_ms
    minute = now_ms // 60_000
    pipe = ledger.redis.pipeline(transaction=False)
    pipe.lindex(keys.RECEIVED, 0)
    pipe.zcard(keys.PARKED)
    pipe.zcard(keys.HELD_AT)
    pipe.zrevrangebyscore(keys.CALLS, "+inf", since, start=0, num=_MOST_CALLS, withscores=True)
    for one in (minute - 1, minute):
        pipe.hmget(keys.traffic(one // 60), [f"{what}:{one % 60}" for what in ("written", "parked")])
    newest, parked, held, calls, earlier, lately = pipe.execute()
    # A minute that has ended counts no more: it is not news that it is over.
    written = {minute - 1: earlier, minute: lately}
    found = dict(cast(list[tuple[str, float]], calls))
    return Look(
        state=(newest, parked, held, tuple((at, *counts) for at, counts in written.items() if any(counts))),
        parked=int(parked),
        held=int(held),
        calls=found,
        since_ms=max([since, *found.values()]),
    )


def news_between(before: Look, after: Look) -> News | None:
    """What happened from one look to the next; None: nothing."""
    calls = [key for key, at in after.calls.items() if before.calls.get(key) != at]
    new_counts = set(after.state[3]) - set(before.state[3])
    if not calls and not new_counts and before.state[:3] == after.state[:3]:
        return None
    return News(calls=calls, parked=after.parked, held=after.held)
