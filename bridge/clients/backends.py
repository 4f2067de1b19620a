"""Sockets that keep to the pace under httpx2's own transport, which proxies and the files of messages go by.

Imported with the first such transport: the library under it takes 2 MB, which most processes do without until
their first request by https. Its errors stay as they are, for httpx2 to translate; ours are httpx2's.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2
import httpx2

from bridge.clients import pace
from bridge.clients.network import PacedSocket, addresses_of


def paced(transport: httpx2.HTTPTransport) -> httpx2.HTTPTransport:
    """The same transport, over sockets that keep to the pace."""
    # The library takes a backend for its pool, but passes none on; `tests/clients/test_pace.py` would tell.
    transport._pool._network_backend = Backend()
    return transport


class Backend(httpcore2.NetworkBackend):
    """The library's own, within the pace."""

    def __init__(self) -> None:
        self._real = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        limit = pace.within(timeout)
        until = None if limit is None else time.monotonic() + limit
        failed: Exception | None = None
        # All addresses share the time: a name may have dozens that do not answer.
        for *_, address in addresses_of(host, port, limit):
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                break
            try:
                stream = self._real.connect_tcp(address[0], port, left, local_address, socket_options)
                return _Stream(stream)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed or httpx2.ConnectTimeout(f"{host} did not answer in time")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._real.connect_unix_socket(path, pace.within(timeout), socket_options))


class GuardedBackend(Backend):
    """Connects to addresses that are allowed, as they were looked up."""

    def __init__(self, allows: Callable[[str], bool]) -> None:
        super().__init__()
        self._allows = allows

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        for *_, address in addresses_of(host, port, timeout):
            if not self._allows(str(address[0])):
                raise httpx2.ConnectError("not a public address")
            return super().connect_tcp(str(address[0]), port, timeout, local_address, socket_options)
        raise httpx2.ConnectError(f"{host} has no address")


class _Stream(httpcore2.NetworkStream):
    """The library's, over such a socket."""

    def __init__(self, real: Any) -> None:
        # It keeps its socket under this name, in both of its kinds.
        real._sock = PacedSocket(real._sock)
        self._real = real

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._real.read(max_bytes, timeout)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._real.write(buffer, timeout)

    def close(self) -> None:
        self._real.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        # One limit for the whole handshake: Python counts it so, not for each packet.
        left = pace.within(timeout)
        if left == 0:
            self.close()
            raise httpx2.ConnectTimeout("the total time limit was reached")
        # TLS wants the socket itself.
        self._real._sock = self._real._sock.real
        return _Stream(self._real.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            sock = self._real._sock.real
            return getattr(self._real, "ssl_obj", None) or getattr(sock, "_sslobj", None)
        return self._real.get_extra_info(info)
