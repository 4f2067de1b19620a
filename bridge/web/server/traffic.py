"""What all connections of a process share: the table, the clock, and the counts of what was cut."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

from bridge.logs import AtMost
from bridge.web.server.connections import ConnectionTable
from bridge.web.server.limits import Limits

if TYPE_CHECKING:
    from bridge.web.server.cycle import Cycle
    from bridge.web.server.protocol import BoundedHttpProtocol

log = logging.getLogger(__name__)
log.addFilter(AtMost())

Cause = Literal[
    "bad-request",
    "header-time",
    "header-bytes",
    "header-count",
    "request-line",
    "body-time",
    "body-framing",
    "undrained",
    "unread-replies",
    "half-closed",
    "crowded",
    "refused",
]
READ_BYTES = 64 * 1024
TICK_S = 0.25
# What is drained of all connections in a tick: enough for an honest sender, and little work.
_DRAINED_A_TICK = 8 * 1024 * 1024
# All connections of a flood run out of time in the same tick; others get their turn in between.
_ENDED_AT_ONCE = 50


class Traffic:
    """Shared by the connections of one event loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.connections: ConnectionTable[BoundedHttpProtocol] = ConnectionTable(
            most=limits.connections, per_peer=limits.per_peer
        )
        self.cuts: Counter[Cause] = Counter(dict.fromkeys(get_args(Cause), 0))
        # Each read is handled before the next one begins, so one buffer serves all connections.
        self.buffer = memoryview(bytearray(READ_BYTES))
        # Called once when the server stops, so that answers without an end do not keep it.
        self.at_stop: list[Callable[[], None]] = []
        # Asked of each request that has come whole, before the application is: whether it answers it itself.
        self.takes_whole: Callable[[Cycle], bool] | None = None
        # The process is about to stop: each connection ends with its answer, so that its peer opens the next
        # one elsewhere.
        self.is_draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._drained = 0
        self._to_drain: set[BoundedHttpProtocol] = set()

    def protocol(self) -> type[BoundedHttpProtocol]:
        """The class for uvicorn's `http=`."""
        from bridge.web.server.protocol import BoundedHttpProtocol

        return type("BoundedHttpProtocol", (BoundedHttpProtocol,), {"traffic": self})

    def stop(self) -> None:
        """The server stops; called once for each connection."""
        while self.at_stop:
            self.at_stop.pop()()

    def cut(self, cause: Cause, peer: str | None) -> None:
        """Count a connection that went over a bound, and log it unless there are many."""
        self.cuts[cause] += 1
        log.warning("connection cut", extra={"cause": cause, "peer": peer})

    def may_drain(self, read: int, connection: BoundedHttpProtocol) -> bool:
        """Count what was read and thrown away. If that was a lot, the connection goes on in the next tick."""
        self._drained += read
        if self._drained < _DRAINED_A_TICK:
            return True
        self._to_drain.add(connection)
        return False

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """See to it that the time limits of connections are kept; called for each new one."""
        if self._timer is None:
            self._timer = loop.call_later(TICK_S, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._drained = 0
        for connection in self._to_drain:
            connection.drain_on()
        self._to_drain.clear()
        now = loop.time()
        late = [one for one in self.connections.all() if one.is_late(now)]
        self._end(loop, late)
        if len(self.connections):
            self.watch(loop)

    def _end(self, loop: asyncio.AbstractEventLoop, late: list[BoundedHttpProtocol]) -> None:
        for connection in late[:_ENDED_AT_ONCE]:
            # Its peer may have hurried while the others had their turn.
            if connection.is_late(loop.time()):
                connection.on_late()
        if late[_ENDED_AT_ONCE:]:
            loop.call_soon(self._end, loop, late[_ENDED_AT_ONCE:])


def traffic_numbers(traffic: Traffic) -> dict[str, dict[tuple[str, ...], int]]:
    """For `/metrics`: the process's own numbers; they need no Redis."""
    return {
        "http_cut": {(cause,): number for cause, number in traffic.cuts.items()},
        "http_connections": {(): len(traffic.connections)},
        "http_connections_limit": {(): traffic.limits.connections},
    }
