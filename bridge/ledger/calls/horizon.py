"""How far back a ledger remembers: what is older is looked for at Kustomer before it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import redis

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.record import moment
from bridge.ledger.sharing import answers_soon

# Between Redis' clock and that of a call's times.
_EXPIRES_EARLY_S = 86_400
# Between Redis' clock and CloudTalk's, when a call is compared with the start of a server.
_CLOCKS_DIFFER_MS = 300_000
_SERVERS_KEPT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHorizon:
    """How far back a ledger remembers.

    A call that ended before `since` may have been written, and forgotten since. Until `rests_until` such a
    call may even be about to be written, by a worker whose lease was forgotten, too.
    """

    since: datetime
    rests_until: datetime | None = None


@boundary("ledger.reach")
def ask_horizon(client: redis.Redis, *, outputs_s: int, lease_ms: int) -> Callable[[], LedgerHorizon]:
    """How far back this ledger remembers: asked with the next command of this run, and told when called.

    Three things make a ledger forget: Redis was emptied, retention ended, or a server came back without
    its last moments (a crash without `appendfsync always`, a replica that took over, a backup). Each
    start of a server has a `run_id` of its own; one not seen before is where that may have happened.
    Whoever asks here has a job of the server it asks: what was written before that job was taken is
    still there, or the job would be gone as well, as a server forgets from the end.

    Asked anew each time: all three happen under a running worker.
    """
    pipe = client.pipeline(transaction=False)
    pipe.time()
    pipe.info("server")
    pipe.info("replication")
    pipe.config_get("appendfsync")
    pipe.hget(keys.META, "born_at")
    pipe.zrange(keys.SERVERS, 0, 1, desc=True, withscores=True)
    answers = answers_soon(client, pipe)
    return lambda: _horizon(client, answers(), outputs_s=outputs_s, lease_ms=lease_ms)


@boundary("ledger.reach")
def _horizon(client: redis.Redis, answers: Sequence[Any], *, outputs_s: int, lease_ms: int) -> LedgerHorizon:
    now, server_info, copies, fsync, born_at, starts = answers
    for needed in (now, born_at, starts):
        if isinstance(needed, Exception):
            raise needed
    # A provider that does not tell: its crashes are then not noticed.
    server = server_info.get("run_id", "") if isinstance(server_info, dict) else ""
    took_over = not isinstance(copies, dict) or bool(str(copies.get("master_replid2", "?")).strip("0"))
    if took_over and isinstance(copies, dict):
        # It may have been the master before, without a start in between: each time it has another one.
        server = f"{server} {copies.get('master_replid', '')}"
    # It has all that any server before it answered: on disk, and not by way of a replica.
    sure = isinstance(fsync, dict) and fsync.get("appendfsync") == "always" and not took_over
    now_ms = int(now[0]) * 1000 + int(now[1]) // 1000
    if born_at is None or not starts or starts[0][0] != server:
        # A ledger that is new, or a start that was not seen before.
        pipe = client.pipeline(transaction=False)
        pipe.hsetnx(keys.META, "born_at", now_ms)
        pipe.hget(keys.META, "born_at")
        pipe.zadd(keys.SERVERS, {server: now_ms}, nx=True)
        pipe.zremrangebyrank(keys.SERVERS, 0, -1 - _SERVERS_KEPT)
        pipe.zrange(keys.SERVERS, 0, 1, desc=True, withscores=True)
        _, born_at, _, _, starts = pipe.execute()
    since_ms = max(float(born_at), now_ms - (outputs_s - _EXPIRES_EARLY_S) * 1000)
    if len(starts) < 2:
        return LedgerHorizon(since=_moment(since_ms))
    started_ms = float(starts[0][1])
    return LedgerHorizon(
        since=_moment(max(since_ms, started_ms + _CLOCKS_DIFFER_MS)),
        # A start in the future was timed by a clock that has been put right since.
        rests_until=None if sure or started_ms > now_ms else _moment(started_ms + lease_ms),
    )


def _moment(ms: float) -> datetime:
    return cast(datetime, moment(ms))
