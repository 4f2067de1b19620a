"""What has no end of its own in Redis gets one: held events, parked jobs, the trail, keys without a TTL."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.held import LISTS
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.ledger import Ledger
from bridge.ledger.tags import KEYS_OF_ACCOUNTS, Tagging, account_of

_AT_ONCE = 500
# How far the key space was looked through, or that all of it was; then it rests for so long.
_SWEPT, _DONE, _SWEEP_EVERY_S = f"{keys.TAG}:swept", "done", 3600
_SWEPT_ACCOUNTS = f"{_SWEPT}:accounts"
_PARTS_A_BEAT = 20


def enforce_retention(ledger: Ledger, *, sweeps: bool = True) -> None:
    """Remove what is past its time. The clock does it at each beat; a part of the keys is looked through.

    Args:
        sweeps: else another looks through the keys (`sweep_accounts`).
    """
    now_ms = ledger.now_ms()
    _end_held(ledger, now_ms - ledger.keep_for.events_s * 1000)
    _end_parked(ledger, now_ms - ledger.keep_for.outputs_s * 1000)
    _end_trail(ledger, now_ms - ledger.keep_for.outputs_s * 1000)
    _end_choices(ledger, now_ms - ledger.keep_for.outputs_s * 1000)
    if sweeps:
        _sweep(ledger)


@boundary("retention.choices")
def _end_choices(ledger: Ledger, before_ms: int) -> None:
    """Customers that people chose for numbers of which no call came for so long."""
    client = ledger.redis
    while old := cast(list[str], client.zrangebyscore(keys.ASSIGNED_AT, "-inf", before_ms, 0, _AT_ONCE)):
        pipe = client.pipeline()
        pipe.hdel(keys.ASSIGNED, *old)
        pipe.zrem(keys.ASSIGNED_AT, *old)
        pipe.execute()


@boundary("retention.held")
def _end_held(ledger: Ledger, before_ms: int) -> None:
    client = ledger.redis
    for held, held_at in LISTS:
        while old := cast(list[str], client.zrangebyscore(held_at, "-inf", before_ms, 0, _AT_ONCE)):
            pipe = client.pipeline()
            pipe.hdel(held, *old)
            pipe.zrem(held_at, *old)
            pipe.execute()


@boundary("retention.parked")
def _end_parked(ledger: Ledger, before_ms: int) -> None:
    """Jobs that nobody looked at for so long that the record of their call is gone."""
    client = ledger.redis
    while old := cast(list[str], client.zrangebyscore(keys.PARKED, "-inf", before_ms, 0, _AT_ONCE)):
        pipe = client.pipeline()
        pipe.zrem(keys.PARKED, *old)
        pipe.hdel(keys.JOBS, *old)
        pipe.execute()


@boundary("retention.trail")
def _end_trail(ledger: Ledger, before_ms: int) -> None:
    """Newest first, so that the old ones are at its end; new lines come at its beginning meanwhile."""
    client = ledger.redis
    while lines := cast(list[str], client.lrange(keys.TRAIL, -_AT_ONCE, -1)):
        old = sum(json.loads(line)["at"] < before_ms for line in lines)
        if old:
            client.ltrim(keys.TRAIL, 0, -1 - old)
        if old < len(lines):
            return


def _sweep(ledger: Ledger) -> None:
    """Give an end to what earlier versions, or a job run again by hand, kept without one.

    Each beat looks through a part of the key space, so that no beat takes longer because Redis holds more.
    """
    _walk(ledger, f"{keys.TAG}:*", _SWEPT, lambda names: _end_endless(ledger, names))


def sweep_accounts(shared: Ledger, ledger_of: Callable[[str], Ledger | None]) -> None:
    """The same for all named accounts together: their keys are looked through once, and not once for each.

    Args:
        shared: the deployment's own ledger, on the server that has those of all accounts.
        ledger_of: gives an account's ledger; None where it is not served.
    """

    def end(names: list[str]) -> None:
        of_accounts: dict[str, list[str]] = {}
        for name in names:
            if account := account_of(name):
                of_accounts.setdefault(account, []).append(Tagging(account).own(name))
        for account, own in of_accounts.items():
            if (ledger := ledger_of(account)) is not None:
                _end_endless(ledger, own)

    _walk(shared, KEYS_OF_ACCOUNTS, _SWEPT_ACCOUNTS, end)


def _walk(ledger: Ledger, pattern: str, progress: str, look_at: Callable[[list[str]], None]) -> None:
    client = ledger.redis
    with boundary("retention.sweep"):
        at = client.get(progress)
    if at == _DONE:
        return
    cursor = int(at or 0)
    for _ in range(_PARTS_A_BEAT):
        with boundary("retention.names"):
            cursor, found = client.scan(cursor, match=pattern, count=_AT_ONCE)
        look_at([str(name) for name in found])
        if cursor == 0:
            break
    with boundary("retention.swept"):
        client.set(progress, cursor or _DONE, ex=_SWEEP_EVERY_S)


def _end_endless(ledger: Ledger, found: list[str]) -> None:
    kept_s = {
        f"{keys.TAG}:call:": ledger.keep_for.outputs_s,
        f"{keys.TAG}:log:": ledger.keep_for.outputs_s,
        f"{keys.TAG}:events:": ledger.keep_for.events_s,
    }
    for start, seconds in kept_s.items():
        names = [name for name in found if name.startswith(start)]
        _give_end(ledger, names, seconds)
        if start.endswith(":call:"):
            _make_marks(ledger, names)


@boundary("retention.give_end")
def _give_end(ledger: Ledger, names: list[str], seconds: int) -> None:
    pipe = ledger.redis.pipeline(transaction=False)
    for name in names:
        pipe.ttl(name)
    endless = [name for name, left in zip(names, pipe.execute(), strict=True) if left == -1]
    for name in endless:
        pipe.expire(name, seconds)
    pipe.execute()


def _make_marks(ledger: Ledger, names: list[str]) -> None:
    """Earlier versions remembered a forgotten call by its ids; from now on by marks that name nobody."""
    with boundary("retention.marks"):
        pipe = ledger.redis.pipeline(transaction=False)
        for name in names:
            pipe.hexists(name, Field.FORGOTTEN)
        forgotten = [name for name, there in zip(names, pipe.execute(), strict=True) if there]
    for name in forgotten:
        ledger.forget(ledger.read(name.removeprefix(f"{keys.TAG}:call:")))
