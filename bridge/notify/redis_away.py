"""Tells that Redis takes nothing: the one problem that cannot be coordinated in Redis.

Of the processes that share a data folder one tells, whoever holds the lock file. On several machines, one of
each does: each has lost Redis by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from bridge.domain.hours import read_hours
from bridge.ledger.faults import server_fault
from bridge.logs import get_logger
from bridge.notify.outbox import PAUSES_S, Send
from bridge.notify.sending import name_of, send
from bridge.notify.texts import message_of
from bridge.notify.transitions import News
from bridge.reports.problem import Problem
from bridge.reports.problem_kinds import KINDS
from bridge.reports.problems import redis_unavailable
from bridge.settings import Settings

log = get_logger(__name__)

_LOCK = "notify.lock"


class RedisAway:
    """One process's part in it.

    Args:
        clock: seconds that pass evenly.
        now: seconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        send: Send = send,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._send, self._clock, self._now = settings, send, clock, now
        self._since: float | None = None
        self._began = 0.0
        self._problem: Problem | None = None
        self._lock: int | None = None
        # What still has to be sent: a message, to which addresses, when, and how often it was tried.
        self._left: tuple[Mapping[str, str], list[int], float, int] | None = None

    def failed(self, error: Exception) -> None:
        """Redis took nothing just now."""
        fault = server_fault(error)
        if self._since is None:
            self._since, self._began = self._clock(), self._now()
        says = fault.says if fault else "Redis is not usable"
        if (
            self._problem is None
            and not self._is_quiet()
            and self._clock() - self._since >= KINDS["redis-unavailable"].after_s
            and self._is_ours()
        ):
            self._problem = redis_unavailable(says, fault.do if fault else "run `callbridge doctor`")
            self._tell(is_over=False)
        self._go_on()

    def worked(self) -> None:
        """Redis took what it was given."""
        self._since = None
        if self._problem is not None and not self._is_quiet():
            self._tell(is_over=True)
            self._problem = None
        self._go_on()
        if self._problem is None and self._left is None and self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _tell(self, *, is_over: bool) -> None:
        assert self._problem is not None  # noqa: S101 - the callers looked
        news = News(problem=self._problem, is_over=is_over, since=self._began)
        log.warning("Redis accepts nothing" if not is_over else "Redis accepts writes again")
        message = message_of(news, public_url=self._settings.pages_url, zone=self._settings.time_zone)
        self._left = (message, list(range(len(self._settings.notify_urls))), self._clock(), 0)

    def _go_on(self) -> None:
        """Send what is left, if it is time."""
        if self._left is None or self._clock() < self._left[2]:
            return
        message, urls, _, tries = self._left
        results = self._send(self._settings.notify_urls, [message], [(0, url) for url in urls])
        failed = [url for (_, url), why in results.items() if why]
        for url in failed:
            log.warning(
                "notification not delivered",
                address=name_of(url, self._settings.notify_urls[url]),
                why=results[0, url],
            )
        if not failed or tries >= len(PAUSES_S):
            self._left = None
        else:
            self._left = (message, failed, self._clock() + PAUSES_S[tries], tries + 1)

    def _is_quiet(self) -> bool:
        text = self._settings.notify_quiet_hours
        at = datetime.fromtimestamp(self._now(), UTC)
        return text is not None and read_hours(text).cover(at, self._settings.time_zone)

    def _is_ours(self) -> bool:
        """Whether this process is the one of its data folder that tells."""
        if not self._settings.notify_urls:
            return False
        if self._lock is None:
            with contextlib.suppress(OSError):
                folder: Path = self._settings.data_dir
                folder.mkdir(parents=True, exist_ok=True)
                file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._lock = file
                except BlockingIOError:
                    os.close(file)
        return self._lock is not None
