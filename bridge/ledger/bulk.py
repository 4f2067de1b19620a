"""What the ledger knows of bulk requests to Kustomer: that they work, when they are wanted, and what they may
still make.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.record import moment
from bridge.ledger.ledger import Ledger

# A backlog begins with so many jobs that run, are due, or wait for their place in Kustomer's budget, and ends
# when fewer than so many are left.
BACKLOG, BACKLOG_ENDS = 100, 20
# For so long after it was sent, an item of a bulk request without a result may still be made. How long
# Kustomer takes is not documented; `doctor --bulk` says how long it took.
SETTLES_MS = 15 * 60_000
_LOOK_EVERY_S = 1.0
_WORKED_AT, _TOOK_MS = "bulk:worked_at", "bulk:took_ms"


class BulkRequests:
    """
    Args:
        backlog: how many jobs wait.
    """

    def __init__(
        self, ledger: Ledger, backlog: Callable[[], int], *, look_every_s: float = _LOOK_EVERY_S
    ) -> None:
        self._ledger, self._backlog, self._look_every_s = ledger, backlog, look_every_s
        self._wanted, self._looked_at = False, float("-inf")
        self._lock = threading.Lock()

    def is_wanted(self) -> bool:
        """Whether there is a backlog, and `doctor` saw bulk requests work; looked at once a second."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked_at >= self._look_every_s:
                least = BACKLOG_ENDS if self._wanted else BACKLOG
                self._wanted = worked(self._ledger) is not None and self._backlog() >= least
                self._looked_at = now
            return self._wanted

    @boundary("bulk.begin")
    def begin(self, names: Sequence[str]) -> Collection[str]:
        """Note that these are about to be sent; those that an earlier request may still make."""
        pipe = self._ledger.redis.pipeline(transaction=False)
        for name in names:
            pipe.set(_key(self._ledger, name), "1", px=SETTLES_MS, nx=True)
        answers = pipe.execute()
        return {name for name, noted in zip(names, answers, strict=True) if not noted}

    @boundary("bulk.end")
    def end(self, names: Sequence[str]) -> None:
        """No request makes these any more."""
        self._ledger.redis.delete(*(_key(self._ledger, name) for name in names))


def _key(ledger: Ledger, name: str) -> str:
    """Of an external id, which may hold a number."""
    return keys.in_bulk(ledger.texts.name("bulk", name))


@boundary("bulk.ends_in")
def ends_in_s(ledger: Ledger, name: str) -> float:
    """For how long a bulk request may still make this; 0: none does."""
    return max(0, ledger.redis.pttl(_key(ledger, name))) / 1000


@boundary("bulk.worked")
def worked(ledger: Ledger) -> tuple[datetime, float] | None:
    """When `doctor` last saw bulk requests work, and how many seconds one took; None: it has not."""
    at, took_ms = cast(list[str | None], ledger.redis.hmget(keys.META, [_WORKED_AT, _TOOK_MS]))
    seen_at = moment(at)
    return None if seen_at is None else (seen_at, float(took_ms or 0) / 1000)


@boundary("bulk.keep_worked")
def keep_worked(ledger: Ledger, *, at_ms: int, took_s: float) -> None:
    ledger.redis.hset(keys.META, mapping={_WORKED_AT: at_ms, _TOOK_MS: round(took_s * 1000)})


@boundary("bulk.keep_failed")
def keep_failed(ledger: Ledger) -> None:
    """They do not work (any more)."""
    ledger.redis.hdel(keys.META, _WORKED_AT, _TOOK_MS)
