"""Sockets that keep to the pace: connecting, looking up a name, each read and each write."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from typing import Any

import httpx2

from bridge.clients import pace

Addresses = Sequence[tuple[Any, ...]]
_lookups: dict[tuple[str, int], Future[Addresses]] = {}
_lock = threading.Lock()


def addresses_of(host: str, port: int, within_s: float | None) -> Addresses:
    """Look a name up, and stop waiting for it in time: the system's own look-up knows no time limit.

    One that hangs goes on in its thread, and whoever asks for the same name meanwhile waits for the same one.

    Raises:
        httpx2.ConnectTimeout: no answer in time.
        httpx2.ConnectError: no such name.
    """
    with _lock:
        found = _lookups.get((host, port))
        if found is None:
            found = _lookups[host, port] = Future()
            threading.Thread(target=_look_up, args=(host, port, found), name="dns", daemon=True).start()
    try:
        return found.result(within_s)
    except NotInTime as cause:
        raise httpx2.ConnectTimeout(f"DNS lookup of {host} timed out") from cause
    except (OSError, UnicodeError) as cause:
        raise httpx2.ConnectError(f"DNS lookup of {host} failed: {cause}") from cause


def _look_up(host: str, port: int, found: Future[Addresses]) -> None:
    try:
        result = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except BaseException as error:
        outcome: tuple[Addresses, BaseException | None] = ((), error)
    else:
        outcome = (result, None)
    with _lock:
        # Not kept: names move.
        _lookups.pop((host, port), None)
    if outcome[1] is not None:
        found.set_exception(outcome[1])
    else:
        found.set_result(outcome[0])


def connected(host: str, port: int, timeout_s: float | None) -> socket.socket:
    """A socket to the first address of this name that takes it, within the pace.

    Raises:
        httpx2.ConnectTimeout, httpx2.ConnectError: as `addresses_of`, or none took it.
    """
    limit = pace.within(timeout_s)
    until = None if limit is None else time.monotonic() + limit
    failed: OSError | None = None
    # All addresses share the time: a name may have dozens that do not answer.
    for family, kind, protocol, _, address in addresses_of(host, port, limit):
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failed = error
        else:
            return sock
    if failed is None or isinstance(failed, TimeoutError):
        raise httpx2.ConnectTimeout(f"{host} did not answer in time") from failed
    raise httpx2.ConnectError(str(failed)) from failed


class PacedSocket:
    """A socket that waits no longer than the pace allows, whatever time limit it is given."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        self._timeout_s: float | None = None

    def settimeout(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s

    def recv(self, size: int, flags: int = 0) -> bytes:
        self._limit()
        data = self.real.recv(size, flags)
        _moved(len(data))
        return data

    def send(self, data: memoryview | bytes) -> int:
        self._limit()
        count = self.real.send(data)
        _moved(count)
        return count

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(rest) :]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def _limit(self) -> None:
        left = pace.within(self._timeout_s)
        if left == 0:
            raise TimeoutError("the total time limit was reached")
        self.real.settimeout(left)


def _moved(count: int) -> None:
    if here := pace.current():
        here.moved(count)
