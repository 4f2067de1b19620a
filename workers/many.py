"""Many accounts in one worker process: whose jobs it runs, and what they work with.

Wake-ups of all accounts come over one subscription. When the next job of each is due is kept in memory; an
account that nothing was heard of is looked at every few seconds, many in one round trip. What an account's
jobs work with is made when the first of them runs, and dropped when many others were used since.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dramatiq.middleware import Middleware

from bridge.accounts.account import Account, Accounts
from bridge.deps import Deps
from bridge.errors import BridgeError
from bridge.jobs.leases import LeaseKeeper, Leases
from bridge.ledger.faults import RedisError
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import DueJob
from bridge.ledger.queue.looking import next_due_ms, wakeups_of_all
from bridge.logs import get_logger
from workers.broker import LedgerBroker
from workers.turns import Turns

log = get_logger(__name__)

# What lost wake-ups cost at most. At 1,000 accounts that is 10 round trips a second, each for 20 accounts.
LOOK_EVERY_S = 5.0
_LOOKS_AT_ONCE = 50
_LONGEST_WAIT_S = 1.0
_REDIS_AWAY_PAUSE_S = 0.25
# Of accounts whose jobs ran lately; what is beyond is made anew, in about a millisecond.
MOST_OPEN = 256
# An account that cannot be worked for is tried again after this.
_TRIED_AGAIN_AFTER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the jobs of one account work with."""

    account: Account
    deps: Deps
    leases: Leases


class OpenAccounts:
    """What is open of each account; `of` makes it when it is needed.

    Args:
        accounts: those in force now.
        make: opens one. It may raise BridgeError, as for a ledger that is newer than this version.
        keeper: renews the leases of all.
    """

    def __init__(
        self,
        accounts: Callable[[], Accounts],
        make: Callable[[Account], Opened],
        keeper: LeaseKeeper,
        *,
        most: int = MOST_OPEN,
    ) -> None:
        self._accounts, self._make, self._keeper, self._most = accounts, make, keeper, most
        self._opened: OrderedDict[str, Opened] = OrderedDict()
        self._failed: dict[str, float] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Opened:
        """
        Raises:
            LookupError: its jobs do not run here: it is gone, paused, or could not be opened a moment ago.
        """
        account = self._accounts().get(name)
        if account is None or account.is_paused:
            raise LookupError(f"the account {name!r} is not served now")
        with self._lock:
            found = self._opened.get(name)
            if found is not None and found.account is account:
                self._opened.move_to_end(name)
                return found
            if time.monotonic() < self._failed.get(name, 0.0):
                raise LookupError(f"the account {name!r} could not be opened")
        return self._open(account)

    def _open(self, account: Account) -> Opened:
        name = account.name
        try:
            made = self._make(account)
        except BridgeError as error:
            with self._lock:
                self._failed[name] = time.monotonic() + _TRIED_AGAIN_AFTER_S
            log.error("account not served, will be tried again", account=name, why=str(error))
            raise LookupError(f"the account {name!r} could not be opened") from error
        with self._lock:
            found = self._opened.get(name)
            if found is not None and found.account is account:
                # Another thread was first.
                return found
            if found is not None:
                self._drop(name)
            self._opened[name] = made
            self._failed.pop(name, None)
            self._keeper.keep(made.leases)
            while len(self._opened) > self._most:
                self._drop(next(iter(self._opened)))
        return made

    def keep_only(self, accounts: Accounts) -> None:
        """Drop what others, and those that have changed, had. Jobs of theirs that run go on with it."""
        with self._lock:
            self._failed.clear()
            for name in [
                one for one, opened in self._opened.items() if accounts.get(one) is not opened.account
            ]:
                self._drop(name)

    def _drop(self, name: str) -> None:
        self._keeper.let_go(self._opened.pop(name).leases)


class ManyBroker(LedgerBroker):
    """Hands out the jobs of many accounts in fair turns (`turns.py`), once it is told of them; see `use`.

    Args:
        open_ledger: that of the deployment.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], *, middleware: Sequence[Middleware] = ()) -> None:
        super().__init__(open_ledger, middleware=middleware)
        self._opened: OpenAccounts | None = None
        self._asks_together = True
        self._turns = Turns(threads=1, look_every_s=LOOK_EVERY_S)
        # The turns are told of what is heard by the thread that listens.
        self._turns_lock = threading.Lock()

    def use(self, opened: OpenAccounts, accounts: Accounts, *, asks_together: bool = True) -> None:
        """Run the jobs of many accounts from now on.

        Args:
            opened: what is open of each account.
            asks_together: whether all accounts are on the server of this broker's ledger.
        """
        self._opened, self._asks_together = opened, asks_together
        self._serve(accounts)

    def _serve(self, accounts: Accounts) -> None:
        """Run the jobs of these, but for those that are paused."""
        with self._turns_lock:
            names = [name for name, one in accounts.items() if not one.is_paused]
            self._turns.serve(names, now=time.monotonic())
        self.wake.set()

    def changed(self, accounts: Accounts) -> None:
        """Go on with the accounts as they are now."""
        if self._opened is not None:
            self._opened.keep_only(accounts)
            self._serve(accounts)

    def ledger_of(self, account: str) -> Ledger:
        return super().ledger_of(account) if self._opened is None else self._opened.of(account).deps.ledger

    def _take_due(self, room: int) -> tuple[float, list[DueJob]]:
        if self._opened is None:
            return super()._take_due(room)
        self._look_at_silent()
        with self._turns_lock:
            self._turns.threads = self.threads
            picked = self._turns.pick(room, now=time.monotonic())
        names: list[DueJob] = []
        try:
            for account, most in picked.items():
                names += self._dispatch(account, most)
        except RedisError:
            # Whoever was picked has something to do.
            with self._turns_lock:
                for account in picked:
                    self._turns.heard(account, in_s=0, now=time.monotonic())
            if not names:
                raise
        with self._turns_lock:
            wait_s = self._turns.wait_s(now=time.monotonic())
        return min(_LONGEST_WAIT_S, wait_s), names

    def _dispatch(self, account: str, most: int) -> list[DueJob]:
        try:
            wait_ms, found = self.ledger_of(account).dispatch(most)
        except LookupError:
            self._looked(account, None)
            return []
        names = [DueJob(job, job.due_for_ms, account) for job in found]
        self._count(names)
        self._looked(account, 0 if len(names) == most else wait_ms)
        return names

    def _count(self, names: Sequence[DueJob]) -> None:
        super()._count(names)
        if self._opened is not None:
            with self._turns_lock:
                for job in names:
                    self._turns.taken(job.account)

    def _looked(self, account: str, wait_ms: int | None) -> None:
        with self._turns_lock:
            next_in_s = None if wait_ms is None or wait_ms < 0 else wait_ms / 1000
            self._turns.looked(account, next_in_s=next_in_s, now=time.monotonic())

    def _look_at_silent(self) -> None:
        with self._turns_lock:
            silent = self._turns.to_look_at(_LOOKS_AT_ONCE, now=time.monotonic())
        if not silent:
            return
        if self._asks_together:
            for account, wait_ms in next_due_ms(self.ledger, silent).items():
                self._looked(account, wait_ms)
            return
        for account in silent:
            try:
                self._looked(account, self.ledger_of(account).dispatch(0)[0])
            except LookupError:
                self._looked(account, None)

    def heard(self, account: str, text: str) -> None:
        """Have a job that became due run, or its account looked at, by what was heard."""
        later_ms = int(text[1:]) if text.startswith("+") and text[1:].isdecimal() else 0
        is_alone = "|" in text and not self.busy and not self.wake.is_set()
        with self._turns_lock:
            if account not in self._turns.accounts:
                return
            self._turns.heard(account, in_s=later_ms / 1000, now=time.monotonic())
        if later_ms == 0:
            self._named = DueJob(text, 0, account) if is_alone else None
        self.wake.set()

    def done(self, accounts: Sequence[str] = ("",)) -> None:
        if self._opened is not None:
            with self._turns_lock:
                for account in accounts:
                    self._turns.ended(account)
        super().done(accounts)

    def _listen(self) -> None:
        if self._opened is None:
            super()._listen()
        while not self._stopped.is_set():
            try:
                with wakeups_of_all(self.ledger) as heard:
                    # What was published before we listened was not heard.
                    with self._turns_lock:
                        self._turns.look_at_all(now=time.monotonic())
                    self.wake.set()
                    while not self._stopped.is_set():
                        if (said := heard(_LONGEST_WAIT_S)) is not None:
                            self.heard(*said)
            except RedisError:
                self._stopped.wait(_REDIS_AWAY_PAUSE_S)
