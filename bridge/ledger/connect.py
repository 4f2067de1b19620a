"""Connections to Redis, by address: `redis://`, `rediss://`, `unix://`, `redis+sentinel://`,
`redis+cluster://`.

Two kinds, as the two sides want opposite things of a Redis that is away: the web process an answer
at once (it says 503 and the sender comes again), a worker to sit it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.connection import HiredisRespSerializer
from redis.crc import key_slot
from redis.retry import Retry

from bridge.ledger import cluster
from bridge.ledger.account_clients import AccountClient, AsyncAccountClient
from bridge.ledger.address import cluster_address, sentinel_address
from bridge.ledger.following import async_connection, connection
from bridge.ledger.sentinels import AsyncSentinels, Sentinels
from bridge.ledger.sharing import LedgerClient
from bridge.ledger.tags import tag_of

# How a text says bytes that are no UTF-8: packed records are such (`bridge.ledger.calls.packed`).
BYTES_AS = "surrogateescape"
# The web process must have answered within 2 s of a request coming in.
WEB_TIMEOUT_S = 1.0
# More than the web process ever uses at once; what it lets in is bounded there.
WEB_CONNECTIONS = 128
# More than the threads of a worker ever use at once (WORKER_THREADS is 256 at most). redis-py's own limit is
# 100, and beyond it a command fails.
_CONNECTIONS = 1_024
# How long one Sentinel, or one node of a cluster, may take to name the master before the next one is asked.
_ASKS_FOR_S = 1.0
_WEB_ASKS_FOR_S = 0.3


def connect(
    url: str, *, account: str = "", timeout_s: float = 5.0, patience: int = 8, decodes: bool = True
) -> redis.Redis:
    """A client for workers and commands: decoded replies, `patience` retries over about 5 s.

    Args:
        account: whose keys it works with; those of all named accounts share their connections.
        decodes: False: bytes as they are, for backups.
    """
    if not account:
        return _connect(url, cluster.SLOT, timeout_s, patience, decodes)
    if not is_cluster(url):
        return AccountClient(_shared(url, cluster.SLOT, timeout_s, patience, decodes), account)
    slot = _shards(url).one_for(key_slot(tag_of(account).encode()))
    return AccountClient(
        _shared(url, slot, timeout_s, patience, decodes),
        account,
        of_deployment=_shared(url, cluster.SLOT, timeout_s, patience, decodes),
    )


@cache
def _shared(url: str, slot: int, timeout_s: float, patience: int, decodes: bool) -> redis.Redis:
    return _connect(url, slot, timeout_s, patience, decodes)


@cache
def _shards(url: str) -> cluster.Shards:
    nodes = cluster_address(url)
    return cluster.Shards(nodes.hosts, _asking(nodes.options, _ASKS_FOR_S))


def _connect(url: str, slot: int, timeout_s: float, patience: int, decodes: bool) -> redis.Redis:
    """Args: slot: by which the server of a cluster is found."""
    options: dict[str, Any] = {
        "decode_responses": decodes,
        "encoding_errors": BYTES_AS,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "health_check_interval": 15,
        "max_connections": _CONNECTIONS,
        # redis-py gives clients made from an address no retry by default.
        "retry": Retry(ExponentialBackoff(cap=1.0, base=0.05), patience),
        "retry_on_error": [redis.ConnectionError, redis.TimeoutError],
    }
    if is_cluster(url):
        nodes = cluster_address(url)
        pool = cluster.blocking_pool(
            slot,
            nodes.hosts,
            _asking(nodes.options, _ASKS_FOR_S),
            {**options, **nodes.options},
        )
        return LedgerClient.from_pool(pool)
    if not url.startswith("redis+sentinel://"):
        return LedgerClient.from_url(url, **options)
    named = sentinel_address(url)
    client: redis.Redis = Sentinels(  # type: ignore[no-untyped-call]
        named.hosts,
        socket_timeout=timeout_s,
        sentinel_kwargs=_asking(named.options, _ASKS_FOR_S),
    ).master_for(
        named.service,
        redis_class=LedgerClient,
        db=named.db,
        connection_class=connection(named.options),
        **{**options, **named.options},
    )
    return client


def connect_web(
    url: str, *, account: str = "", beside: redis.asyncio.Redis | None = None, waits_s: float = 0.0
) -> redis.asyncio.Redis:
    """A client for the event loop: no retries, short timeouts.

    Args:
        account: whose keys it works with.
        beside: whose connections it shares, if that is possible: in a cluster an account may be elsewhere.
        waits_s: how long Redis may keep an answer back because of WAIT.
    """
    if account and beside is not None and not is_cluster(url):
        return AsyncAccountClient(beside, account)
    client = _connect_web(url, tag_of(account), waits_s)
    return AsyncAccountClient(client, account) if account else client


def is_cluster(url: str) -> bool:
    return url.startswith("redis+cluster://")


def _connect_web(url: str, tag: str, waits_s: float) -> redis.asyncio.Redis:
    options: dict[str, Any] = {
        "decode_responses": True,
        "encoding_errors": BYTES_AS,
        "socket_timeout": max(WEB_TIMEOUT_S, waits_s + 0.1),
        "socket_connect_timeout": WEB_TIMEOUT_S,
        "max_connections": WEB_CONNECTIONS,
    }
    if is_cluster(url):
        nodes = cluster_address(url)
        pool = cluster.async_pool(
            key_slot(tag.encode()),
            nodes.hosts,
            _asking(nodes.options, _WEB_ASKS_FOR_S, kind=AsyncRetry),
            {**options, **nodes.options},
        )
        return _packing_quickly(redis.asyncio.Redis.from_pool(pool))
    if not url.startswith("redis+sentinel://"):
        return _packing_quickly(redis.asyncio.Redis.from_url(url, **options))
    named = sentinel_address(url)
    sentinel = AsyncSentinels(  # type: ignore[no-untyped-call]
        named.hosts,
        socket_timeout=WEB_TIMEOUT_S,
        sentinel_kwargs=_asking(named.options, _WEB_ASKS_FOR_S, kind=AsyncRetry),
    )
    client: redis.asyncio.Redis = sentinel.master_for(
        named.service,
        db=named.db,
        connection_class=async_connection(named.options),
        **{**options, **named.options},
    )
    return _packing_quickly(client)


def _asking(options: Mapping[str, Any], timeout_s: float, *, kind: type[Any] = Retry) -> dict[str, Any]:
    """Of a connection that asks who the master is. One that is away must not hold up the next one: redis-py
    would try each ten times, for longer than a webhook waits."""
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": kind(NoBackoff(), 0),
        **options,
    }


class _Packing(AbstractConnection):
    """Writes commands down with hiredis, as redis-py's own connections do except those of asyncio.

    In Python that is a tenth of the work for a webhook, which sends a script 40 keys and arguments.
    """

    def pack_command(self, *args: Any) -> list[bytes]:
        packed: list[bytes] = _SERIALIZER.pack(*args)
        return packed


_SERIALIZER = HiredisRespSerializer()


def _packing_quickly(client: redis.asyncio.Redis) -> redis.asyncio.Redis:
    pool = client.connection_pool
    kind = pool.connection_class
    pool.connection_class = type(f"Packing{kind.__name__}", (_Packing, kind), {})
    return client
