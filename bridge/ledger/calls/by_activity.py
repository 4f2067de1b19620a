"""Calls in the order of their last activity, and what lists keep of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.ledger import Ledger
from bridge.ledger.stored import record_place


@boundary("what_if.calls")
def active_since(ledger: Ledger, since_ms: str, *, skip: int, count: int) -> list[tuple[str, float]]:
    """Keys of calls with the time of their last activity (ms since 1970), oldest first.

    Args:
        since_ms: the first time that counts.
        skip: how many of the first ones are left out.
        count: at most so many.
    """
    found = ledger.redis.zrangebyscore(keys.CALLS, since_ms, "+inf", start=skip, num=count, withscores=True)
    return cast(list[tuple[str, float]], found)


@boundary("what_if.rows")
def summary_rows(ledger: Ledger, names: Sequence[str]) -> list[tuple[str | None, str | None]]:
    """Of each call the text of its summary, and when it was last active (ms since 1970)."""
    pipe = ledger.redis.pipeline(transaction=False)
    for name in names:
        pipe.hmget(keys.record(name), [Field.ROW, Field.LAST_AT])
    found = cast(list[tuple[str | None, str | None]], pipe.execute())
    return [
        (ledger.texts.opened(record_place(name, Field.ROW), row), at)
        for name, (row, at) in zip(names, found, strict=True)
    ]
