"""Fetches due jobs from the ledger for the threads of this process that have nothing to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from bridge.ledger.faults import RedisError, why
from bridge.ledger.keys import WAKE, split_job
from bridge.ledger.ledger import Ledger
from bridge.logs import get_logger
from workers.broker import LocalBroker

log = get_logger(__name__)

# Being woken is a help, not a need: a wake-up that got lost costs at most this.
_LONGEST_WAIT_S = 1.0
_REDIS_AWAY_PAUSE_S = 0.25


class Dispatcher:
    """One thread that looks at the ledger when something is due, was learnt, or a thread became free."""

    def __init__(self, ledger: Ledger, broker: LocalBroker, send: Callable[[str, str], Any]) -> None:
        self._ledger, self._broker, self._send = ledger, broker, send
        self.wake = WAKE
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for target, name in ((self._run, "dispatcher"), (self._listen, "wake")):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Hand out nothing more. Returns when no dispatch is under way."""
        self._stop.set()
        self._broker.freed.set()
        self._threads[0].join()

    def dispatch(self) -> float:
        """Hand out what is due, as much as there is room for; seconds until it is worth looking again."""
        room = self._broker.room
        if room <= 0:
            return _LONGEST_WAIT_S
        wait_ms, names = self._ledger.dispatch(room)
        for name in names:
            self._send(*split_job(name))
        if len(names) == room:
            return _LONGEST_WAIT_S
        return min(_LONGEST_WAIT_S, wait_ms / 1000) if wait_ms >= 0 else _LONGEST_WAIT_S

    def _run(self) -> None:
        away = False
        while not self._stop.is_set():
            self._broker.freed.clear()
            try:
                wait_s = self.dispatch()
                away = False
            except RedisError as error:
                if not away:
                    log.warning(
                        "redis takes nothing, waiting for it", error=type(error).__name__, why=why(error)
                    )
                away, wait_s = True, _REDIS_AWAY_PAUSE_S
            # At least a moment, so that a job which is due and cannot be taken does not spin.
            self._broker.freed.wait(max(wait_s, 0.002))

    def _listen(self) -> None:
        """Wakes the dispatcher when something was learnt, so that an idle worker starts at once."""
        while not self._stop.is_set():
            try:
                with self._ledger.wakeups(self.wake) as is_woken:
                    # What was published before we listened was not heard.
                    self._broker.freed.set()
                    while not self._stop.is_set():
                        if is_woken(_LONGEST_WAIT_S):
                            self._broker.freed.set()
            except RedisError:
                self._stop.wait(_REDIS_AWAY_PAUSE_S)
