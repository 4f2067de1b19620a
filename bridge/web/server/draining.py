"""A server that drains before it stops, so that a balancer in front loses no request of a planned restart."""

from __future__ import annotations

import logging
import signal
import time
from types import FrameType

import uvicorn

from bridge.web.server.traffic import Traffic

log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which at SIGTERM first says that it is going, and goes on answering for a while.

    While it drains, `/readyz` answers 503 and each answer ends its connection. A balancer notices either, and
    sends what comes next to another process. Closing at once would refuse what it had already sent here.

    Args:
        drain_s: for how long; 0: it stops at once. A second signal ends it.
    """

    def __init__(self, config: uvicorn.Config, traffic: Traffic, *, drain_s: float) -> None:
        super().__init__(config)
        self._traffic, self._drain_s = traffic, drain_s
        self._until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and self._drain_s and self.started and self._until is None:
            self._until = time.monotonic() + self._drain_s
            self._traffic.is_draining = True
            return
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if self._until is not None and not self.should_exit and time.monotonic() >= self._until:
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)
