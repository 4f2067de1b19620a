"""The checks for a page: run beside it, at most one run at a time, and kept for some seconds."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.checks.check import Check

_KEPT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found so far; `is_done` where no more comes."""

    checks: tuple[Check, ...]
    at: datetime
    is_done: bool

    def worst(self) -> str:
        states = {check.state for check in self.checks}
        return "FAIL" if "FAIL" in states else "warn" if "warn" in states else "ok"


def _examine(settings: Settings) -> Iterator[Check]:
    # Each look at the page is one run, so that nothing is posted.
    # With the clients of the services, which a web process starts without.
    import httpx2

    from bridge.checks.examine import examine
    from bridge.clients.bounds import Client

    with Client(timeout=httpx2.Timeout(5, connect=3)) as client:
        yield from examine(settings, client, posts=False)


class CachedChecks:
    """Args:
    examine: gives the checks; a test may give its own.
    waits_s: how long a look waits for them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        examine: Callable[[Settings], Iterator[Check]] = _examine,
        waits_s: float = 1.2,
    ) -> None:
        self.settings, self._examine, self._waits_s = settings, examine, waits_s
        self._lock = threading.Lock()
        self._found: list[Check] = []
        self._began_at = datetime.now(UTC)
        # On the clock that never goes back; None: not run so far.
        self._ended_s: float | None = None
        self._runs = False
        self._ended = threading.Event()

    async def look(self) -> Checked:
        """The checks: those of the last seconds, else of a new run, for which this waits a moment only."""
        self._begin()
        await asyncio.to_thread(self._ended.wait, self._waits_s)
        with self._lock:
            return Checked(checks=tuple(self._found), at=self._began_at, is_done=not self._runs)

    def _begin(self) -> None:
        with self._lock:
            fresh = self._ended_s is not None and time.monotonic() - self._ended_s < _KEPT_S
            if self._runs or fresh:
                return
            self._runs, self._found, self._began_at = True, [], datetime.now(UTC)
            self._ended.clear()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            for check in self._examine(self.settings):
                with self._lock:
                    self._found.append(check)
        except Exception as error:
            from bridge.checks.check import Check

            says = f"the checks ended early ({type(error).__name__})"
            with self._lock:
                self._found.append(Check("checks", "FAIL", says, "run callbridge doctor"))
        finally:
            with self._lock:
                self._runs, self._ended_s = False, time.monotonic()
            self._ended.set()
