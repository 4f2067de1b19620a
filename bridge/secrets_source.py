"""The secrets in force in this process: those of the files that `NAME_FILE` names, read again once changed.

Each process's heartbeat asks often. Whoever uses a secret says so by `on_change`, and is handed settings with
the new ones. A file that cannot be used leaves the secret in force that was there before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from bridge.errors import WrongUse
from bridge.logs import get_logger
from bridge.secret_files import complaint, read_secret, secret_variables
from bridge.settings import Settings
from bridge.watched_file import WatchedFile

log = get_logger(__name__)

_EVERY_S = 0.25
# What was built with these stays as it was: connections to Redis, the list of addresses, the reports.
AT_THE_NEXT_START = frozenset({"redis_url", "notify_urls", "sentry_dsn"})


class SecretsSource:
    """Ask it with `look`, from any thread.

    Attributes:
        settings: with the secrets in force.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings, self._clock = settings, clock
        known = secret_variables(type(settings))
        self._files = {
            known[name]: WatchedFile(path, clock=clock, now=now)
            for name, path in settings.secret_files.items()
        }
        self._texts: dict[str, str] = {}
        self._unreadable: dict[str, str] = {}
        self._wrong: dict[str, str] = {}
        self._users: list[Callable[[Settings], object]] = []
        self._lock = threading.Lock()
        self._next_at = 0.0

    def on_change(self, use: Callable[[Settings], object]) -> None:
        """Have `use` called with the settings whenever a secret has changed, in the thread of whoever looks.

        It may raise WrongUse: something is wrong with the secrets that only it can tell.
        """
        self._users.append(use)

    def look(self) -> str:
        """Look at the files; what is wrong with the first that is, `NAME_FILE  FILE: what`, else nothing."""
        if self._files and self._clock() >= self._next_at and self._lock.acquire(blocking=False):
            try:
                self._next_at = self._clock() + _EVERY_S
                self._read_changed()
            finally:
                self._lock.release()
        return next(iter(self._wrong.values()), "")

    def _read_changed(self) -> None:
        is_changed = False
        for variable, file in self._files.items():
            read = partial(read_secret, file.path, is_list=variable.is_list)
            if (found := file.if_changed(read)) is None:
                continue
            text, why = found
            is_changed = True
            if why:
                self._unreadable[variable.name] = complaint(variable.name, file.path, why)
            else:
                self._unreadable.pop(variable.name, None)
                self._texts[variable.name] = text
        if is_changed:
            self._take()

    def _take(self) -> None:
        """Put what is good of the files as they are now in force."""
        settings, refused = self.settings.with_secrets(self._texts)
        before, self._wrong = self._wrong, {**refused, **self._unreadable}
        changed = {
            variable.name
            for variable in self._files
            if getattr(settings, variable.field) != getattr(self.settings, variable.field)
        }
        if changed:
            self.settings = settings
            settings.use_keys()
            for use in self._users:
                try:
                    use(settings)
                except WrongUse as error:
                    self._wrong.setdefault("use", str(error))
        for name in sorted(changed):
            if name in AT_THE_NEXT_START:
                log.warning("secret changed; this process takes it at its next start", name=name.upper())
            else:
                log.info("secret in force", name=name.upper())
        for name, line in self._wrong.items():
            if before.get(name) != line:
                log.error("secret rejected, the one before it stays in force", why=line)
