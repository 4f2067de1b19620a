"""Connections that follow the master, of redis-py's pools for Sentinel; of a cluster, too (`cluster.py`).

They differ from redis-py's (8.1.0) in two ways. A command that finds its connection lost has the master
looked up anew: redis-py looks it up only when a connection leaves the pool, and repeats a command where it
was sent first, at an address that is dead or a replica by now. And each answer of a server that is not the
one to write to ends the connection, not only READONLY.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis
from redis.asyncio.sentinel import SentinelManagedConnection as AsyncConnection
from redis.asyncio.sentinel import SentinelManagedSSLConnection as AsyncTlsConnection
from redis.exceptions import AskError, ClusterDownError, MasterDownError, ReadOnlyError, ResponseError
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

# `MovedError` is an `AskError`.
_NOT_THE_MASTER = (ReadOnlyError, AskError, ClusterDownError, MasterDownError)


def is_not_master(error: object) -> bool:
    """Whether a server says that it is not the one to write to, or not yet: another one may be.

    A script that could not write: Redis 6.2 puts READONLY into the text of another error.
    """
    return isinstance(error, _NOT_THE_MASTER) or (
        isinstance(error, ResponseError) and "-READONLY" in str(error)
    )


class _Following:
    """Of a blocking connection."""

    def send_packed_command(self, *args: Any, **options: Any) -> Any:
        self.connect()  # type: ignore[attr-defined]
        return super().send_packed_command(*args, **options)  # type: ignore[misc]

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except ResponseError as error:
            if not is_not_master(error):
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise redis.ConnectionError(f"the server is not the master (any more): {error}") from error


class _AsyncFollowing:
    """Of a connection of the event loop."""

    async def send_packed_command(self, *args: Any, **options: Any) -> Any:
        await self.connect()  # type: ignore[attr-defined]
        return await super().send_packed_command(*args, **options)  # type: ignore[misc]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]
        except ResponseError as error:
            if not is_not_master(error):
                raise
            await self.disconnect()  # type: ignore[attr-defined]
            raise redis.ConnectionError(f"the server is not the master (any more): {error}") from error


class _Connection(_Following, SentinelManagedConnection):
    pass


class _TlsConnection(_Following, SentinelManagedSSLConnection):
    pass


class _AsyncConnection(_AsyncFollowing, AsyncConnection):
    pass


class _AsyncTlsConnection(_AsyncFollowing, AsyncTlsConnection):
    pass


def connection(options: Mapping[str, Any]) -> type:
    """The kind of connection for these options of an address."""
    return _TlsConnection if options.get("ssl") else _Connection


def async_connection(options: Mapping[str, Any]) -> type:
    return _AsyncTlsConnection if options.get("ssl") else _AsyncConnection
