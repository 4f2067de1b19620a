"""The bounds of the HTTP server."""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass

# An idle connection costs about 10 KB.
MOST_CONNECTIONS = 4096
# Beside connections: the listening socket, the event loop, Redis, log, journal.
OWN_DESCRIPTORS = 32
# macOS calls a hard limit infinite, and refuses a soft one above about this.
_ENOUGH_DESCRIPTORS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds per connection, unless they say otherwise.

    Args:
        connections: in the whole process.
        per_peer: of one address (one /64 of IPv6); 0 for no bound of its own. Not for loopback, where a
            proxy on this machine makes all peers one address.
        request_line_bytes: method, URL and version.
        head_bytes: request line and headers.
        framing_bytes: of a chunked body, all that is not the body itself.
        drain_bytes: what is read and thrown away after an answer that came before the request's end.
        head_s: from the first byte (of a new connection: from its start) to the end of the headers.
        body_s: from there to the end of the body. More than the application's own limit, which answers first.
        idle_s: between an answer and the next request.
        unread_s: how long a peer may leave a full send buffer unread.
        half_closed_s: how long a peer that closed its side is waited for with an answer.
        drain_s: how long is drained after an answer.
    """

    connections: int = MOST_CONNECTIONS
    per_peer: int = MOST_CONNECTIONS // 4
    request_line_bytes: int = 8 * 1024
    head_bytes: int = 16 * 1024
    headers: int = 100
    framing_bytes: int = 16 * 1024
    drain_bytes: int = 4 * 1024 * 1024
    head_s: float = 10.0
    body_s: float = 15.0
    idle_s: float = 5.0
    unread_s: float = 30.0
    half_closed_s: float = 2.5
    drain_s: float = 5.0

    @property
    def sure_bytes(self) -> int:
        """A head of this size is within bounds, however it is made: a line has at least 4 bytes."""
        return min(4 * self.headers, self.request_line_bytes, self.head_bytes)

    @classmethod
    def for_descriptors(cls, descriptors: int, *, per_peer: int | None = None) -> Limits:
        """So many connections that each may open a descriptor more, for Redis or a file."""
        connections = max(4, min(MOST_CONNECTIONS, (descriptors - OWN_DESCRIPTORS) // 2))
        return cls(connections=connections, per_peer=connections // 4 if per_peer is None else per_peer)

    @classmethod
    def of_this_process(cls, *, per_peer: int | None = None) -> Limits:
        return cls.for_descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0], per_peer=per_peer)


def raise_descriptor_limit() -> int:
    """Raise the soft limit on open files to the hard one, where that is allowed; returns what holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft if soft != resource.RLIM_INFINITY else _ENOUGH_DESCRIPTORS
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
