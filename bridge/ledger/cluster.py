"""Which node of a Redis Cluster has the ledger: all its keys have one hash tag, so they are in one slot. Each
account has a tag, and so a slot, of its own.

So the bridge speaks to one node, as to a single Redis: to the master of that slot. It is found by
`CLUSTER SLOTS` whenever a connection is made, and a node that says that it is not the master (any more) loses
the connection, as a master that Sentinel made a replica does; redis-py's pools for Sentinel do the rest.
Wake-ups are published within the whole cluster, whichever node hears of them first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncPool
from redis.crc import key_slot
from redis.sentinel import MasterNotFoundError, SentinelConnectionPool

from bridge.ledger.following import async_connection, connection
from bridge.ledger.keys import TAG

SLOT = key_slot(TAG.encode())
_NO_MASTER = "no node of the Redis Cluster reports a running master for the ledger"
# Nodes that are asked beside those of the address.
_MOST_LEARNT = 32
# How long it is taken for granted which server has which slots, for those that are opened next.
_SHARDS_KEPT_S = 30.0

Address = tuple[str, int]


class _Nodes:
    """Those that can be asked, each time another one first: one that was cut off may not know the master.

    Args:
        slot: that of the ledger.
        seeds: those that the address names.
    """

    def __init__(self, slot: int, seeds: Sequence[Address]) -> None:
        self._slot = slot
        self._seeds = list(seeds)
        self._learnt: list[Address] = []
        self._turn = 0

    def in_turn(self) -> Iterator[Address]:
        every = [*self._seeds, *(one for one in self._learnt if one not in self._seeds)]
        first, self._turn = self._turn % len(every), self._turn + 1
        yield from every[first:] + every[:first]

    def master(self, asked: Address, slots: Any) -> Address | None:
        """The master of the ledger's slot, in one node's answer to `CLUSTER SLOTS`.

        Source: https://redis.io/docs/latest/commands/cluster-slots/
        """
        found = None
        learnt = []
        for low, high, *nodes in slots:
            # A node without a name has that by which the asked one is known; `?` is not known.
            known = [(str(one[0] or asked[0]), int(one[1])) for one in nodes if one[0] != "?"]
            learnt += known
            if int(low) <= self._slot <= int(high) and nodes[0][0] != "?":
                found = known[0]
        self._learnt = list(dict.fromkeys(learnt))[:_MOST_LEARNT]
        return found


class Slot:
    """Finds the master, in the place of a `redis.sentinel.Sentinel`."""

    def __init__(self, slot: int, seeds: Sequence[Address], options: Mapping[str, Any]) -> None:
        self._nodes = _Nodes(slot, seeds)
        self._options = {**options, "decode_responses": True}

    def discover_master(self, _service: str) -> Address:
        for host, port in self._nodes.in_turn():
            try:
                with redis.Redis(host=host, port=port, **self._options) as client:
                    slots: Any = client.execute_command("CLUSTER", "SLOTS")
            except (redis.RedisError, OSError):
                continue
            if (master := self._nodes.master((host, port), slots)) is not None:
                return master
        raise MasterNotFoundError(_NO_MASTER)


class Shards:
    """Which slots one server has: the accounts on it share their connections.

    What is on one server stays together when a replica takes over. A slot that is moved to another one by
    hand is found there once the process starts anew.
    """

    def __init__(self, seeds: Sequence[Address], options: Mapping[str, Any]) -> None:
        self._seeds, self._options = seeds, {**options, "decode_responses": True}
        self._ranges: list[tuple[int, int, Address]] = []
        self._asked_at = float("-inf")
        self._first: dict[Address, int] = {}
        self._lock = threading.Lock()

    def one_for(self, slot: int) -> int:
        """A slot on the same server, the same one for all of that server; the given one if none answers."""
        with self._lock:
            if time.monotonic() - self._asked_at > _SHARDS_KEPT_S:
                self._ranges, self._asked_at = self._ask(), time.monotonic()
            master = next((at for low, high, at in self._ranges if low <= slot <= high), None)
            return slot if master is None else self._first.setdefault(master, slot)

    def _ask(self) -> list[tuple[int, int, Address]]:
        for host, port in self._seeds:
            try:
                with redis.Redis(host=host, port=port, **self._options) as client:
                    slots: Any = client.execute_command("CLUSTER", "SLOTS")
            except (redis.RedisError, OSError):
                continue
            return [
                (int(low), int(high), (str(nodes[0][0] or host), int(nodes[0][1])))
                for low, high, *nodes in slots
                if nodes[0][0] != "?"
            ]
        return []


class AsyncSlot:
    """`Slot` for the event loop."""

    def __init__(self, slot: int, seeds: Sequence[Address], options: Mapping[str, Any]) -> None:
        self._nodes = _Nodes(slot, seeds)
        self._options = {**options, "decode_responses": True}

    async def discover_master(self, _service: str) -> Address:
        for host, port in self._nodes.in_turn():
            try:
                async with redis.asyncio.Redis(host=host, port=port, **self._options) as client:
                    slots = await client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
            except (redis.RedisError, OSError):
                continue
            if (master := self._nodes.master((host, port), slots)) is not None:
                return master
        raise redis.asyncio.sentinel.MasterNotFoundError(_NO_MASTER)


def blocking_pool(
    slot: int, seeds: Sequence[Address], asks: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    """
    Args:
        slot: whose master the connections go to.
        asks: options of the connections that find the master.
        options: of those to the master.
    """
    return _pool(SentinelConnectionPool, Slot(slot, seeds, asks), connection(options), options)


def async_pool(
    slot: int, seeds: Sequence[Address], asks: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    return _pool(AsyncPool, AsyncSlot(slot, seeds, asks), async_connection(options), options)


def _pool(make: Callable[..., Any], finds: object, kind: type, options: Mapping[str, Any]) -> Any:
    return make("the ledger's slot", finds, connection_class=kind, **options)
