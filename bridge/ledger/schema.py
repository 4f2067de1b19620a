"""The version of what the ledger holds: stamped at the first start, migrated forward, refused where newer.

A ledger says its version in `{callbridge}:schema`. One without it that holds something was made before there
were versions: that is version 1. A process looks at it when it starts, a command before it does anything.

To change what is kept in a way that code of before cannot read: add one to `VERSION`, and a migration to
`MIGRATIONS`. A migration runs while other processes work, of its own version and of the one before, and it
may be cut off and run again, or twice at once. So it moves things in steps that can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

import redis

from bridge.boundary import boundary
from bridge.errors import WrongUse
from bridge.ledger import keys
from bridge.ledger.calls.held import set_other_apart
from bridge.ledger.ledger import Ledger

VERSION = 3
# Of ledgers that were made before they said it.
_UNSTAMPED = 1

# From this version to the next one. 1: messages and changes of contacts were held together with the rest.
# 2: no record was packed, which the clock does in its own time, once all who run can read that
# (`calls/packing.py`).
# What else differed since commit 2079905 is read in both forms (`refusals.py`, `retention.py`).
MIGRATIONS: Mapping[int, Callable[[Ledger], None]] = MappingProxyType(
    {1: set_other_apart, 2: lambda _ledger: None}
)

_VERSION, _RESTORING = "version", "restoring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """
    Attributes:
        version: None: nothing is kept yet.
        restoring: a backup was begun to be restored into it, and that did not end.
    """

    version: int | None
    restoring: bool = False

    @property
    def is_current(self) -> bool:
        return self.version == VERSION and not self.restoring

    @property
    def refusal(self) -> str:
        """Why this version may not touch it, and what to do, in a line; empty if it may."""
        if self.restoring:
            return (
                "A restore into this ledger did not finish; run `callbridge restore FILE --replace` again "
                "(nothing else starts until then)"
            )
        if self.version is not None and self.version > VERSION:
            return (
                f"This ledger has schema {self.version} and this version of callbridge knows {VERSION}: "
                "install the newer version again (or restore a backup from before the upgrade)"
            )
        return ""


@boundary("schema.read")
def read_schema(of: Ledger | redis.Redis) -> Schema:
    """What the ledger says of itself."""
    pipe = _client(of).pipeline(transaction=False)
    pipe.hmget(keys.SCHEMA, [_VERSION, _RESTORING])
    # What any ledger has that a process has ever worked with.
    pipe.exists(keys.META, keys.CALLS, keys.JOBS, keys.HELD, keys.OTHER, keys.MESSAGES)
    (version, restoring), kept = pipe.execute()
    if version is None:
        return Schema(version=_UNSTAMPED if kept else None, restoring=bool(restoring))
    return Schema(version=int(version), restoring=bool(restoring))


def check_schema(of: Ledger | redis.Redis) -> Schema:
    """The same, for a command.

    Raises:
        WrongUse: the ledger is newer than this version, or half restored.
    """
    found = read_schema(of)
    if found.refusal:
        raise WrongUse(found.refusal)
    return found


def take_up(ledger: Ledger) -> int | None:
    """Stamp a new ledger, bring an older one up to this version: before a process works with it.

    Returns:
        The version that it was brought up from; None where nothing was migrated.
    Raises:
        WrongUse: as `check_schema`.
    """
    found = check_schema(ledger.redis)
    if found.is_current:
        return None
    version = VERSION if found.version is None else found.version
    while version < VERSION:
        MIGRATIONS[version](ledger)
        version += 1
    _stamp(ledger.redis, version)
    return found.version


# Never back: a process of an older version may have begun before a newer one was done.
_RAISE = """
local known = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if known < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return known
"""


@boundary("schema.stamp")
def _client(of: Ledger | redis.Redis) -> redis.Redis:
    return of if isinstance(of, redis.Redis) else of.redis


def _stamp(client: redis.Redis, version: int) -> None:
    client.eval(_RAISE, 1, keys.SCHEMA, _VERSION, str(version))


@boundary("schema.begin_restore")
def begin_restore(client: redis.Redis) -> None:
    """From now on nothing starts on this ledger."""
    client.hset(keys.SCHEMA, _RESTORING, "1")


@boundary("schema.end_restore")
def end_restore(client: redis.Redis, version: int) -> None:
    """All of a backup is there, of a ledger of this version."""
    pipe = client.pipeline()
    pipe.hset(keys.SCHEMA, _VERSION, str(version))
    pipe.hdel(keys.SCHEMA, _RESTORING)
    pipe.execute()


def shown_schema(of: Ledger | redis.Redis) -> dict[str, object]:
    """For programs: `{"version", "known", "refused"}`; version: null where nothing is kept yet."""
    found = read_schema(of)
    return {"version": cast(object, found.version), "known": VERSION, "refused": found.refusal or None}
