"""The accounts in force in this process: those of the file of CALLBRIDGE_ACCOUNTS, read again once it, or a
file of one of their secrets, has changed.

The heartbeat of each process has the files looked at. An account whose table is wrong stays as it was; one
that never was right is left out. Neither stops the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from bridge.accounts.account import Account, Accounts, Change
from bridge.accounts.file import AccountsFile, Entry, read_accounts, read_entry, with_places_apart
from bridge.errors import WrongUse
from bridge.ledger.processes import WrongFiles
from bridge.logs import get_logger
from bridge.secrets_source import SecretsSource
from bridge.settings import Settings
from bridge.watched_file import WatchedFile

log = get_logger(__name__)

_EVERY_S = 0.5
# Half of the secret files are checked at a time.
_PARTS = 2
_MOST_LOGGED = 20


class AccountsSource:
    """Ask `now` for the accounts, from any thread; `look` has the files looked at."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        logs: bool = True,
    ) -> None:
        """
        Args:
            logs: tells in the log what is wrong and what has changed; a command tells it itself.
        Raises:
            WrongUse: the file cannot be read, or is not TOML.
        """
        self._base, self._clock, self._time, self._logs = settings, clock, now, logs
        self._path = settings.callbridge_accounts
        self._users: list[Callable[[Change], object]] = []
        self._lock = threading.Lock()
        self._next_at = 0.0
        self._part = 0
        self._file = AccountsFile()
        self._of_environment = Account(name="", settings=settings)
        self._accounts: Accounts = MappingProxyType(self._unnamed())
        self._secrets: dict[str, list[WatchedFile]] = {}
        if self._path is None:
            return
        self._watched = WatchedFile(self._path, clock=clock, now=now)
        found = read_accounts(self._path, settings)
        if not found.is_readable:
            raise WrongUse(f"CALLBRIDGE_ACCOUNTS: {found.wrong[0]}")
        self._take(found)

    @property
    def is_on(self) -> bool:
        """Whether there is a file: else there is one account, without a name."""
        return self._path is not None

    def now(self) -> Accounts:
        """By name; that of the environment, if it is served, has none."""
        return self._accounts

    def complaints(self) -> tuple[str, ...]:
        """What is wrong with the file and its tables, a line each."""
        return self._file.complaints

    def wrong_with(self, name: str) -> tuple[str, ...]:
        """What is wrong with this account's table."""
        entry = self._file.entries.get(name)
        return entry.wrong if entry else ()

    def names(self) -> list[str]:
        """Those of the file, the wrong ones included, in its order."""
        return list(self._file.entries)

    def on_change(self, use: Callable[[Change], object]) -> None:
        """Have `use` called after each change, in the thread of whoever looks."""
        self._users.append(use)

    def look(self) -> str:
        """Look at the files, if it is time; what is wrong with the first that is, else nothing."""
        if self._path is not None and self._clock() >= self._next_at and self._lock.acquire(blocking=False):
            try:
                self._next_at = self._clock() + _EVERY_S
                self._follow(self._path, self._watched)
            finally:
                self._lock.release()
        return next(iter(self.complaints()), "")

    def _follow(self, path: Path, watched: WatchedFile) -> None:
        found = watched.if_changed(partial(read_accounts, path, self._base, before=self._file.entries))
        if found is not None and not found.is_readable:
            # As a whole it is of no use: all accounts stay as they were.
            found = AccountsFile(entries=self._file.entries, wrong=found.wrong)
        if found is not None:
            self._take(found)
        if (again := self._with_new_secrets(path, self._file)) is not None:
            self._take(again)

    def _with_new_secrets(self, path: Path, file: AccountsFile) -> AccountsFile | None:
        """The file with accounts read again whose secrets have changed; None where there are none."""
        changed: dict[str, Entry] = {}
        self._part = (self._part + 1) % _PARTS
        for number, (name, files) in enumerate(list(self._secrets.items())):
            if number % _PARTS != self._part or name not in file.entries:
                continue
            # Check every file, so that two that change together cause one reading.
            if sum(one.if_changed(lambda: True) is not None for one in files):
                entry = read_entry(path, name, file.entries[name].table, self._base)
                if entry != file.entries[name]:
                    changed[name] = entry
        if not changed:
            return None
        entries = with_places_apart(path, {**file.entries, **changed})
        return AccountsFile(entries=entries, wrong=file.wrong)

    def _take(self, found: AccountsFile) -> None:
        """Put what is good of the file in force."""
        before, told = self._accounts, set(self._file.complaints)
        after = self._unnamed()
        for name, entry in found.entries.items():
            if not entry.wrong:
                after[name] = entry.account
                if name in before:
                    # What was built with the settings of before encrypts by the new keys, too.
                    before[name].settings.keyring.follow(entry.account.settings.keyring)
            elif name in before:
                after[name] = before[name]
        self._watch_secrets(after, self._file.entries, found.entries)
        self._file, self._accounts = found, MappingProxyType(after)
        change = Change(before=before, after=self._accounts)
        is_another = bool(change.added or change.removed or change.changed)
        if self._logs:
            _log(change if is_another else None, [line for line in found.complaints if line not in told])
        for use in self._users if is_another else ():
            use(change)

    def _watch_secrets(
        self, after: Accounts, before: Mapping[str, Entry], entries: Mapping[str, Entry]
    ) -> None:
        for name in [*self._secrets]:
            if name not in entries:
                del self._secrets[name]
        for name, entry in entries.items():
            if entry is not before.get(name):
                files = list(self._of_secrets(entry.account))
                if files:
                    self._secrets[name] = files
                else:
                    self._secrets.pop(name, None)

    def _of_secrets(self, account: Account) -> Iterator[WatchedFile]:
        for path in dict.fromkeys(account.settings.secret_files.values()):
            # Looked at once more, as it may have changed since it was read.
            yield WatchedFile(path, clock=self._clock, now=self._time)

    def _unnamed(self) -> dict[str, Account]:
        """The account of the environment, where it is one: alone, or with keys or tokens of its own."""
        base = self._base
        has_keys = not base.missing("cloudtalk", "kustomer") or not base.missing("webhooks")
        return {"": self._of_environment} if self._path is None or has_keys else {}


def _log(change: Change | None, wrong: list[str]) -> None:
    for line in wrong[:_MOST_LOGGED]:
        log.error("account rejected, what was in force before stays", why=line)
    if change is not None:
        log.info(
            "accounts in force",
            accounts=len(change.after),
            added=len(change.added),
            changed=len(change.changed),
            removed=len(change.removed),
        )


def wrong_in_files(secrets: SecretsSource, accounts: AccountsSource) -> WrongFiles:
    """Look at the files of secrets and at those of accounts; what is wrong with the first of each that is."""
    return WrongFiles(secrets=secrets.look(), accounts=accounts.look())
