"""How all accounts stand: read together, and kept for some seconds, as lists and `/metrics` ask often."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from bridge import wiring
from bridge.accounts.account import Account
from bridge.accounts.source import AccountsSource
from bridge.ledger.ledger import Ledger
from bridge.ledger.overview import Overview, keep_last_webhooks, read_overviews

_KEPT_S = 5.0


class Numbers:
    """Safe to ask from several threads; its methods block.

    Args:
        ledger: the unnamed account's.
    """

    def __init__(
        self, source: AccountsSource, ledger: Ledger, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source, self._ledger, self._clock = source, ledger, clock
        self._lock = threading.Lock()
        self._read: tuple[float, Mapping[str, Account], Mapping[str, Overview]] | None = None
        self._webhooks: Counter[str] = Counter()
        self._told: dict[str, float] = {}

    def count(self, account: str) -> None:
        """One more webhook of an account was taken in here."""
        self._webhooks[account] += 1

    def webhooks(self) -> Mapping[str, int]:
        """Account -> webhooks that this process took in; of accounts that there are."""
        accounts = self._source.now()
        for name in [name for name in self._webhooks if name not in accounts]:
            del self._webhooks[name]
        return dict(self._webhooks)

    def paused(self) -> set[str]:
        return {name for name, account in self._source.now().items() if account.is_paused}

    def overviews(self) -> Mapping[str, Overview]:
        """By account, as they were at most 5 s ago. Raises redis-py's errors."""
        with self._lock:
            accounts = self._source.now()
            read = self._read
            if read is None or read[1] is not accounts or self._clock() - read[0] > _KEPT_S:
                found: Mapping[str, Overview] = self._read_all(accounts)
                self._read = read = (self._clock(), accounts, found)
            return read[2]

    def _read_all(self, accounts: Mapping[str, Account]) -> Mapping[str, Overview]:
        found: dict[str, Overview] = {}
        for ledger, names in self._by_server(accounts, list(accounts)):
            found |= read_overviews(ledger, names)
        return found

    def _by_server(self, accounts: Mapping[str, Account], names: list[str]) -> list[tuple[Ledger, list[str]]]:
        """In a cluster each account may be on another server."""
        settings = [accounts[name].settings for name in names]
        if all(map(wiring.is_on_one_server, settings)):
            return [(self._ledger, names)]
        return [
            (wiring.open_ledger(one, timeout_s=1.0, patience=0), [name])
            for name, one in zip(names, settings, strict=True)
        ]

    def keep_last_webhooks(self, at: Mapping[str, float]) -> None:
        """Have it known to all processes when each account's last webhook came."""
        accounts = self._source.now()
        news = {name: when for name, when in at.items() if self._told.get(name) != when and name in accounts}
        if news:
            for ledger, names in self._by_server(accounts, list(news)):
                keep_last_webhooks(ledger, {name: news[name] for name in names})
            self._told = dict(at)
