"""The threads of one process that watch and send. Web and clock have them: each tells of the other."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bridge.ledger.faults import RedisError, why
from bridge.ledger.ledger import Ledger
from bridge.logs import get_logger
from bridge.notify.outbox import Outbox
from bridge.notify.redis_away import RedisAway
from bridge.notify.watch import EVERY_S, Watch
from bridge.reports.views import queue_view
from bridge.settings import Settings
from bridge.wiring import open_budgets, open_connections, open_ledger

log = get_logger(__name__)

_TURNS_EVERY_S = EVERY_S / 3
_STOP_WITHIN_S = 1.0
# With Redis frozen, an answer is not waited for as long as a job would.
_REDIS_WITHIN_S = 3.0


def queue_of(settings: Settings, ledger: Ledger) -> Callable[[], dict[str, object]]:
    """Gives the numbers of an account's queue, as a watch wants them."""
    budgets = tuple(open_budgets(settings, ledger).values())
    connections = open_connections(settings, ledger)
    return lambda: queue_view(ledger, budgets, connections)


class Watchman:
    """Watches from `start` to `stop`, beside what else the process does. Nothing that fails here ends it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._away = RedisAway(settings)
        # One each, as their connections may hang.
        self._ledgers = [open_ledger(settings, timeout_s=_REDIS_WITHIN_S, patience=0) for _ in range(2)]

    def start(self) -> None:
        looking, sending = self._ledgers
        watch = Watch(self._settings, looking, queue_of(self._settings, looking))
        outbox = Outbox(sending, self._settings.notify_urls)
        for name, work in (("watch", lambda: self._look(watch)), ("notify", lambda: self._send(outbox))):
            thread = threading.Thread(target=self._repeat, args=(work,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_STOP_WITHIN_S)
        for ledger in self._ledgers:
            ledger.close()

    def _look(self, watch: Watch) -> None:
        try:
            watch.beat()
        except (RedisError, OSError) as error:
            self._away.failed(error)
        else:
            self._away.worked()

    def _send(self, outbox: Outbox) -> None:
        try:
            outbox.deliver()
        except (RedisError, OSError) as error:
            log.debug("notifications wait for Redis", why=why(error))

    def _repeat(self, work: Callable[[], None]) -> None:
        failing = False
        while not self._stop.wait(_TURNS_EVERY_S):
            try:
                work()
                failing = False
            except Exception:  # a fault of ours: the process has other work, and the next look may go well
                if not failing:
                    log.exception("the watch failed")
                failing = True
