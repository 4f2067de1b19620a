"""What Redis says of itself, which live calls are late, and whether recordings can be stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import redis

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.keys import QUEUE_KEYS, Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.kinds import OF_CALLS
from bridge.ledger.sharing import later

_LIVE = QUEUE_KEYS[Lane.LIVE - 1]
# A retry is at most 5 minutes away.
_LATEST_RETRY_MS = 330_000
_MOST = 200
_FAILING_FOR_S = 3600
_LONGEST_WORDS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHealth:
    """Of the Redis server.

    Attributes:
        not_durable: why it may lose what it accepted; empty if it does not, or does not tell.
        used: part of its memory in use; None where it has no bound that it tells.
    """

    not_durable: str
    used: float | None


@boundary("health.server")
def server_health(ledger: Ledger) -> ServerHealth:
    """As `INFO` says; nothing where this user may not ask."""
    pipe = ledger.redis.pipeline(transaction=False)
    pipe.info("memory")
    pipe.info("persistence")
    server_info: dict[str, Any] = {}
    for reply in pipe.execute(raise_on_error=False):
        if isinstance(reply, dict):
            server_info |= reply
        elif isinstance(reply, Exception) and not isinstance(reply, redis.ResponseError):
            raise reply
    return health_of(server_info)


def health_of(server_info: Mapping[str, Any]) -> ServerHealth:
    """From the fields of `INFO`. Pure."""
    limit = int(server_info.get("maxmemory") or 0)
    bound = limit or int(server_info.get("total_system_memory") or 0)
    used = int(server_info.get("used_memory") or 0) / bound if bound else None
    why = ""
    if server_info.get("aof_enabled") == 0:
        why = "it keeps no append-only file"
    elif server_info.get("aof_last_write_status", "ok") != "ok":
        why = "its last write to its append-only file failed"
    elif server_info.get("aof_last_bgrewrite_status", "ok") != "ok":
        why = "the last rewrite of its append-only file failed"
    elif limit and server_info.get("maxmemory_policy", "noeviction") != "noeviction":
        why = "when its memory is full, it deletes records"
    return ServerHealth(not_durable=why, used=used)


@boundary("health.storage_failed")
def storage_failed(ledger: Ledger, says: str) -> None:
    """Have it shown that recordings cannot be stored, until one was."""
    ledger.redis.set(keys.STORAGE_FAILING, says[:_LONGEST_WORDS], ex=_FAILING_FOR_S)


@boundary("health.storage_works")
def storage_works(ledger: Ledger) -> None:
    later(ledger.redis, ("DEL", keys.STORAGE_FAILING))


@boundary("health.storage_failing")
def storage_failing(ledger: Ledger) -> str:
    """What the storage said last; empty where it works."""
    return cast(str | None, ledger.redis.get(keys.STORAGE_FAILING)) or ""


@boundary("health.klass_refused")
def klass_refused(ledger: Ledger) -> tuple[str, str]:
    """The class of custom objects that Kustomer refused last, and why, as `KlassRefusal` has it; both empty
    where it took what came since."""
    klass, _, why = (cast(str | None, ledger.redis.get(keys.KLASS_REFUSED)) or "").partition(" ")
    return klass, why


@boundary("health.add_on_missing")
def add_on_missing(ledger: Ledger) -> bool:
    """Whether CloudTalk's AI refused us last, as the account lacks its add-on."""
    return "missing_until_ms" in (cast(str | None, ledger.redis.get(keys.ADD_ON)) or "")


@boundary("health.search_refused")
def search_refused(ledger: Ledger) -> bool:
    """Whether Kustomer refused the key a search of customers, and none went well since."""
    return bool(ledger.redis.exists(keys.SEARCH_REFUSED))


@boundary("health.late_calls")
def late_live_calls(ledger: Ledger, *, after_s: float) -> tuple[int, float]:
    """How many live calls are due or failing for longer than that, and the age of the oldest.

    Looks at the next 200 jobs. One that waits for a paused service, or for its call to end, is not late.
    """
    now = ledger.now_ms()
    found = cast(
        list[tuple[str, float]],
        ledger.redis.zrangebyscore(
            _LIVE, "-inf", now + _LATEST_RETRY_MS, start=0, num=_MOST, withscores=True
        ),
    )
    own = [(name, at) for name, at in found if keys.split_job(name)[0] in OF_CALLS]
    texts = cast(list[str | None], ledger.redis.hmget(keys.JOBS, [name for name, _ in own])) if own else []
    ages = []
    for (_, at), text in zip(own, texts, strict=True):
        job = json.loads(text) if text else {}
        if job.get("cause") == "Disconnected":
            continue
        since = job.get("failing_since") if job.get("attempts") else None
        age_s = (now - float(since or at)) / 1000
        if age_s >= after_s:
            ages.append(age_s)
    return len(ages), max(ages, default=0.0)
