"""The rules in force in this process: those of the file of CALLBRIDGE_RULES, read again once it has changed.

Whoever asks for the rules has the file looked at, at most every `_EVERY_S`. Each process's heartbeat
asks often, so that a process without work follows the file too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from bridge.domain.rules.model import Rules
from bridge.logs import get_logger
from bridge.setting_sources import read_rules
from bridge.settings import Settings
from bridge.watched_file import WatchedFile

log = get_logger(__name__)

_EVERY_S = 0.25


class RulesSource:
    """Call it for the rules. A file with a mistake, or none, leaves those in force that were there before.

    Attributes:
        wrong: the first mistake in the file as it is now, `FILE:LINE:COLUMN: what; remedy`; empty where the
            rules in force are those of the file.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        path, self._rules = settings.callbridge_rules, settings.rules
        self._file = None if path is None else WatchedFile(path, clock=clock, now=now)
        self._region, self._zone = settings.phone_region, settings.time_zone
        self._clock = clock
        self._lock = threading.Lock()
        self._next_at = 0.0
        self.wrong = ""

    def __call__(self) -> Rules:
        file = self._file
        if file is not None and self._clock() >= self._next_at and self._lock.acquire(blocking=False):
            try:
                self._next_at = self._clock() + _EVERY_S
                if (found := file.if_changed(partial(read_rules, file.path))) is not None:
                    self._take(*found)
            finally:
                self._lock.release()
        return self._rules

    def state(self) -> tuple[str, str]:
        """The version in force, and what is wrong with the file."""
        return self().version, self.wrong

    def _take(self, rules: Rules, wrong: list[str]) -> None:
        before, self.wrong = self.wrong, wrong[0] if wrong else ""
        if wrong:
            if self.wrong != before:
                log.error("rules file rejected, the rules before it stay in force", why=self.wrong)
            return
        rules = rules.placed(region=self._region, zone=self._zone)
        if rules != self._rules or before:
            log.info("rules in force", version=rules.version, file=rules.source)
        if rules != self._rules:
            self._rules = rules
