"""Keeps requests from waiting, one after the other, for a Redis that is frozen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

PROBE_S = 1.0
# Between probes that fail at once.
PAUSE_S = 0.05


class CircuitBreaker:
    """Shut by the first time-out, opened by the first sign of life.

    Only a time-out shuts it: a connection that is refused costs nothing, and is the quickest way to
    learn that Redis is back.

    Args:
        probe: returns once Redis says anything. One is always under way while the gate is shut, so
            that a Redis that runs on is noticed at once, and not at the next beat.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], *, probe_s: float = PROBE_S) -> None:
        self._probe, self._probe_s = probe, probe_s
        self._open = asyncio.Event()
        self._open.set()
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_shut(self) -> bool:
        return not self._open.is_set()

    async def enter(self, *, within_s: float) -> None:
        """Returns when the gate is open; raises TimeoutError when it stays shut for so long."""
        if self._open.is_set():
            return
        async with asyncio.timeout(within_s):
            await self._open.wait()

    def shut(self) -> None:
        if self._open.is_set():
            self._open.clear()
            self._probing = asyncio.create_task(self._until_open())

    async def _until_open(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._probe_s):
                    await self._probe()
            except TimeoutError:
                continue
            except Exception:  # whatever it is: it must not stay shut for it
                await asyncio.sleep(PAUSE_S)
            else:
                self._open.set()
                return

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
