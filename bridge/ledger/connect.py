"""Connections to Redis, by address: `redis://`, `rediss://`, `unix://`, `redis+sentinel://`.

Two kinds, as the two sides want opposite things of a Redis that is away: the web process an answer
at once (it says 503 and the sender comes again), a worker to sit it out.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
import redis.asyncio
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

# The web process must have answered within 2 s of a request coming in.
WEB_TIMEOUT_S = 1.0
# More than the web process ever uses at once; what it lets in is bounded there.
WEB_CONNECTIONS = 128


def connect(url: str, *, timeout_s: float = 5.0, patience: int = 8) -> redis.Redis:
    """A client for workers and commands: decoded replies, `patience` retries over about 5 s."""
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "health_check_interval": 15,
        # redis-py gives clients made from an address no retry at all unless told.
        "retry": Retry(ExponentialBackoff(cap=1.0, base=0.05), patience),
        "retry_on_error": [redis.ConnectionError, redis.TimeoutError],
    }
    if not url.startswith("redis+sentinel://"):
        return redis.Redis.from_url(url, **options)
    hosts, service, db, credentials = _sentinel(url)
    client: redis.Redis = Sentinel(  # type: ignore[no-untyped-call]
        hosts, socket_timeout=timeout_s, sentinel_kwargs=credentials
    ).master_for(service, db=db, **options, **credentials)
    return client


def connect_web(url: str, *, waits_s: float = 0.0) -> redis.asyncio.Redis:
    """A client for the event loop: no retries, short timeouts.

    Args:
        waits_s: how long Redis may keep an answer back because it was told to wait.
    """
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": max(WEB_TIMEOUT_S, waits_s + 0.1),
        "socket_connect_timeout": WEB_TIMEOUT_S,
        "max_connections": WEB_CONNECTIONS,
    }
    if not url.startswith("redis+sentinel://"):
        return redis.asyncio.Redis.from_url(url, **options)
    hosts, service, db, credentials = _sentinel(url)
    sentinel = AsyncSentinel(  # type: ignore[no-untyped-call]
        hosts, socket_timeout=WEB_TIMEOUT_S, sentinel_kwargs=credentials
    )
    client: redis.asyncio.Redis = sentinel.master_for(service, db=db, **options, **credentials)
    return client


def _sentinel(url: str) -> tuple[list[tuple[str, int]], str, int, dict[str, Any]]:
    """`redis+sentinel://[user:password@]h1:26379,h2:26379/SERVICE/DB` in its parts."""
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    addresses = []
    for item in hosts.split(","):
        host, _, port = item.strip().rpartition(":")
        addresses.append((host, int(port)) if host else (port, 26379))
    service, _, db = parts.path.strip("/").partition("/")
    credentials: dict[str, Any] = dict(parse_qsl(parts.query))
    if login:
        user, _, password = login.rpartition(":")
        credentials["password"] = unquote(password)
        if user:
            credentials["username"] = unquote(user)
    return addresses, service, int(db or 0), credentials
