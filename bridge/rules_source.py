"""The rules in force in this process: those of the file of CALLBRIDGE_RULES, read again once it has changed.

Whoever asks for the rules has the file looked at, at most every `_EVERY_S`. Each process's heartbeat
asks often, so that a process without work follows the file too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bridge.domain.rules.model import Rules
from bridge.logs import get_logger
from bridge.setting_sources import read_rules
from bridge.settings import Settings

log = get_logger(__name__)

_EVERY_S = 0.25
# What changed later than this may be half-written: it is read once it has stayed as it is for as long.
_SETTLED_S = 0.5
# Device, inode, size and times: a link that points elsewhere, a file put in its place and one rewritten in
# the same second all differ. None: nothing is there.
_Mark = tuple[int, ...] | None


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
        self._path, self._rules = settings.callbridge_rules, settings.rules
        self._region, self._zone = settings.phone_region, settings.time_zone
        self._clock, self._now = clock, now
        self._lock = threading.Lock()
        self._next_at = 0.0
        # Of the content that was read last. The settings read it a moment ago, and may have missed a change.
        self._read: _Mark = (0,)
        self._pending: tuple[_Mark, float] | None = None
        self.wrong = ""

    def __call__(self) -> Rules:
        if self._path is not None and self._clock() >= self._next_at and self._lock.acquire(blocking=False):
            try:
                self._next_at = self._clock() + _EVERY_S
                self._look()
            finally:
                self._lock.release()
        return self._rules

    def state(self) -> tuple[str, str]:
        """The version in force, and what is wrong with the file."""
        return self().version, self.wrong

    def _look(self) -> None:
        mark, changed_at = self._stat()
        if mark == self._read:
            self._pending = None
            return
        if self._pending is None or self._pending[0] != mark:
            self._pending = (mark, self._clock())
        age_s = self._now() - changed_at
        if age_s < _SETTLED_S and self._clock() - self._pending[1] < _SETTLED_S:
            return
        assert self._path is not None  # noqa: S101  # asked before
        rules, wrong = read_rules(self._path)
        if self._stat()[0] != mark:
            # Written meanwhile.
            return
        self._read, self._pending = mark, None
        self._take(rules, wrong)

    def _stat(self) -> tuple[_Mark, float]:
        """The mark of what is there, and when it was changed; `inf` where that is not known."""
        assert self._path is not None  # noqa: S101  # asked before
        try:
            found = self._path.stat()
        except OSError:
            return None, float("inf")
        mark = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return mark, max(found.st_mtime, found.st_ctime)

    def _take(self, rules: Rules, wrong: list[str]) -> None:
        before, self.wrong = self.wrong, wrong[0] if wrong else ""
        if wrong:
            if self.wrong != before:
                log.error("rules file rejected, the rules before it stay in force", why=self.wrong)
            return
        rules = rules.placed(region=self._region, zone=self._zone)
        if rules != self._rules or before:
            log.info("rules in force", version=rules.version, file=str(self._path))
        if rules != self._rules:
            self._rules = rules
