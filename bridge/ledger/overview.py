"""How the ledgers of many accounts stand, in few round trips: for lists and metrics of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.facts import LAST_WEBHOOK
from bridge.ledger.keys import QUEUE_KEYS, Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.tags import Tagging

# Of one call of the script, which nothing else in Redis can interrupt.
_AT_ONCE = 50
# What the script reads of each account; the due sets are the first of the queue's keys.
_KEYS = (*QUEUE_KEYS[: len(Lane)], keys.PARKED, keys.HELD, keys.META)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """
    Attributes:
        due: jobs whose time has come.
        oldest_due_s: for how long the first of them has been due.
        last_webhook_at: when one was accepted last, as the web processes say with each heartbeat.
    """

    due: int = 0
    oldest_due_s: float = 0.0
    parked: int = 0
    held: int = 0
    last_webhook_at: datetime | None = None


def read_overviews(ledger: Ledger, accounts: Sequence[str]) -> dict[str, Overview]:
    """By account; empty: the unnamed one.

    Args:
        ledger: on the server that has those of all these accounts; it may be of any of them.
    """
    found: dict[str, Overview] = {}
    for start in range(0, len(accounts), _AT_ONCE):
        some = accounts[start : start + _AT_ONCE]
        names = [_name(account, key) for account in some for key in _KEYS]
        answers = ledger.run_script("overview", names, LAST_WEBHOOK)
        found.update(zip(some, map(_read, answers), strict=True))
    return found


@boundary("overview.keep")
def keep_last_webhooks(ledger: Ledger, at: Mapping[str, float]) -> None:
    """When the last webhook came (seconds since 1970), by account."""
    known = ledger.redis.pipeline(transaction=False)
    for account in at:
        known.hget(_name(account, keys.META), LAST_WEBHOOK)
    pipe = ledger.redis.pipeline(transaction=False)
    for (account, seconds), before in zip(at.items(), known.execute(), strict=True):
        if seconds > float(before or 0):
            pipe.hset(_name(account, keys.META), LAST_WEBHOOK, repr(seconds))
    pipe.execute()


def _name(account: str, key: str) -> str:
    return str(Tagging(account).name(key)) if account else key


def _read(answer: Sequence[Any]) -> Overview:
    due, oldest_ms, parked, held, heard = answer
    return Overview(
        due=int(due),
        oldest_due_s=int(oldest_ms) / 1000,
        parked=int(parked),
        held=int(held),
        last_webhook_at=datetime.fromtimestamp(float(heard), UTC) if heard else None,
    )
