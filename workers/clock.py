"""What happens by the hour and not by a webhook: the ledger's housekeeping, by one process at a time."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from types import FrameType

import redis

from bridge.jobs.deps import open_ledger
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger
from bridge.logs import get_logger
from bridge.settings import Settings

log = get_logger(__name__)

_BEAT_S = 60.0


class Clock:
    """Several may run: a lock of a little under one beat lets one of them act."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._name = secrets.token_hex(4)

    def beat(self) -> bool:
        """One beat; whether it was ours to make."""
        lock_ms = int(_BEAT_S * 900)
        if not self._ledger.redis.set(keys.BEAT, self._name, nx=True, px=lock_ms):
            return False
        self._ledger.born_at()
        self._ledger.tidy()
        return True


def run(settings: Settings) -> int:
    """Beat until SIGTERM or SIGINT; the exit code."""
    clock = Clock(open_ledger(settings))
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log.info("clock started", pid=os.getpid())
    while True:
        try:
            clock.beat()
        except redis.RedisError as error:
            log.warning("redis is away, waiting for it", error=type(error).__name__)
        if stopping.wait(_BEAT_S):
            return 0
