"""The clock's chores for many accounts, in one process: spread over the beat, and none held up by another.

What only Redis is needed for (retention, index, replays, the watch for problems) is done in one small pool of
threads; what waits for services (comparison, audits, synthetic calls, notifications), in another.
Each does one thing at a time for an account. One of which something was heard lately has its turn more often.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial

from structlog.contextvars import bound_contextvars

from bridge.accounts.account import Account, Accounts
from bridge.deps import Deps
from bridge.errors import BridgeError
from bridge.jobs.synthetic import SyntheticCall
from bridge.ledger.calls.retention import sweep_accounts
from bridge.ledger.faults import RedisError, why
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.looking import wakeups_of_all
from bridge.ledger.queue.replay_runs import step_all
from bridge.ledger.schema import take_up
from bridge.logs import get_logger
from bridge.notify.outbox import Outbox
from bridge.notify.watch import Watch
from bridge.notify.watchman import queue_of
from bridge.reconcile.audit_runs import Stopped, do_next
from bridge.reconcile.periodic import Rounds
from bridge.rules_source import RulesSource
from bridge.wiring import is_in_cluster, open_deps, open_ledger, open_recordings, open_synthetic
from workers.clock_beat import BEAT_S, Clock
from workers.rota import Rota

log = get_logger(__name__)

# How often an account is looked after: one that is idle, and one of which something was heard so lately.
IDLE_EVERY_S, BUSY_EVERY_S, BUSY_FOR_S = 120.0, 10.0, 120.0
_SYNTHETIC_EVERY_S = 5.0
_HERE, _AT_SERVICES = 4, 8
# Of a page of the comparison, or an audit; what is left is gone on with at the next turn.
_LONGEST_WAIT_S = 1.0
_REDIS_AWAY_PAUSE_S = 1.0
# What is open of an account takes about 40 kB; beyond so many it is made anew, in about a millisecond.
MOST_OPEN = 2_000


@dataclass(frozen=True)
class Household:
    """All that the clock does for one account.

    Args:
        account: with the settings that it was made of.
        stopping: ends what takes long.
    """

    account: Account
    stopping: threading.Event

    @cached_property
    def ledger(self) -> Ledger:
        ledger = open_ledger(self.account.settings)
        take_up(ledger)
        return ledger

    @cached_property
    def _rules(self) -> RulesSource:
        return RulesSource(self.account.settings)

    @cached_property
    def _clock(self) -> Clock:
        settings = self.account.settings
        days = settings.recording_retention_days
        return Clock(
            self.ledger,
            storage=partial(open_recordings, settings),
            keep_recordings=timedelta(days=days) if days else None,
            rules=self._rules,
            # In a cluster they may be on any node.
            sweeps=is_in_cluster(settings),
        )

    @cached_property
    def _deps(self) -> Deps:
        return open_deps(self.account.settings, self.ledger, rules=self._rules)

    @cached_property
    def _rounds(self) -> Rounds:
        return Rounds(self._deps, every=timedelta(seconds=self.account.settings.reconcile_every_s))

    @cached_property
    def _synthetic(self) -> SyntheticCall:
        return open_synthetic(self.account.settings, self._deps)

    @cached_property
    def _watch(self) -> Watch:
        settings = self.account.settings
        return Watch(settings, self.ledger, queue_of(settings, self.ledger))

    @cached_property
    def _outbox(self) -> Outbox:
        return Outbox(self.ledger, self.account.settings.notify_urls)

    def look_after_records(self) -> None:
        """What only Redis is needed for."""
        try:
            self._clock.beat()
            self._clock.keep_index()
            self._clock.pack()
            step_all(self.ledger)
        finally:
            # It notifies of what the others fail for.
            self._watch.beat()

    def look_after_services(self) -> None:
        """What waits for CloudTalk, Kustomer and whoever is notified. A paused account asks for nothing."""
        self._outbox.deliver()
        if self.account.is_paused:
            return
        with contextlib.suppress(Stopped):
            while do_next(self._deps.current(), self._clock.now(), self._pause):
                pass
        self._synthetic.step()
        if self.account.settings.reconcile_every_s:
            self._rounds.go(self._clock.now(), stopping=self.stopping.is_set)

    def _pause(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise Stopped


class ManyClock:
    """Looks after accounts from `start` to `stop`.

    Args:
        ledger: that of the deployment, by which wake-ups are heard.
        make: what is done for one account.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        make: Callable[[Account, threading.Event], Household] = Household,
        idle_every_s: float = IDLE_EVERY_S,
        busy_every_s: float = BUSY_EVERY_S,
    ) -> None:
        self._ledger, self._make = ledger, make
        self._idle_every_s, self._busy_every_s = idle_every_s, busy_every_s
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._accounts: Accounts = {}
        self._open: OrderedDict[str, Household] = OrderedDict()
        self._heard_at: dict[str, float] = {}
        self._rotas = {"here": Rota(), "services": Rota()}
        self._pools = {
            "here": ThreadPoolExecutor(_HERE, "accounts"),
            "services": ThreadPoolExecutor(_AT_SERVICES, "services"),
        }
        self._sizes = {"here": _HERE, "services": _AT_SERVICES}
        self._free = dict(self._sizes)
        self._failing: set[str] = set()
        self._threads: list[threading.Thread] = []

    def serve(self, accounts: Accounts) -> None:
        """Look after these, the unnamed one excepted, and no others."""
        with self._lock:
            self._accounts = {name: one for name, one in accounts.items() if name}
            for name in [one for one, house in self._open.items() if accounts.get(one) is not house.account]:
                del self._open[name]
            self._heard_at = {name: at for name, at in self._heard_at.items() if name in accounts}
            for rota in self._rotas.values():
                rota.serve(self._accounts, now=time.monotonic(), within_s=self._idle_every_s)

    def start(self) -> None:
        for work in (self._go_round, self._listen, self._sweep):
            thread = threading.Thread(target=work, name=work.__name__, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(_LONGEST_WAIT_S * 2)
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def heard(self, account: str) -> None:
        """Something became due there: its turn comes sooner for a while."""
        now = time.monotonic()
        with self._lock:
            if account in self._accounts:
                self._heard_at[account] = now
                for rota in self._rotas.values():
                    rota.hurry(account, at=now + self._busy_every_s)

    def _go_round(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                now = time.monotonic()
                waits = []
                for kind, rota in self._rotas.items():
                    for name in rota.due(self._free[kind], now=now):
                        self._free[kind] -= 1
                        self._pools[kind].submit(self._look_after, kind, name).add_done_callback(_tell)
                    waits.append(rota.wait_s(now=now) if self._free[kind] else _LONGEST_WAIT_S)
            self._stopping.wait(min(_LONGEST_WAIT_S, max(0.005, *waits)))

    def _look_after(self, kind: str, name: str) -> None:
        account = self._accounts.get(name)
        try:
            if account is not None:
                with bound_contextvars(account=name):
                    self._do(kind, self._household(account))
        finally:
            with self._lock:
                self._free[kind] += 1
                self._rotas[kind].ended(name, next_at=time.monotonic() + self._every_s(name))

    def _do(self, kind: str, house: Household) -> None:
        name = house.account.name
        try:
            if kind == "here":
                house.look_after_records()
            else:
                house.look_after_services()
            self._failing.discard(name)
        except (RedisError, BridgeError) as error:
            if name not in self._failing:
                said = why(error) if isinstance(error, RedisError) else str(error)
                log.warning("housekeeping failed, will be retried", why=said)
            self._failing.add(name)
        except Exception:  # a fault of ours, with this account alone
            if name not in self._failing:
                log.exception("fault in the housekeeping of an account")
            self._failing.add(name)

    def _sweep(self) -> None:
        """Look through the keys of all accounts, a part of them at each beat."""
        while not self._stopping.wait(BEAT_S):
            try:
                sweep_accounts(self._ledger, self._ledger_of)
            except (RedisError, BridgeError) as error:
                log.warning("Redis keys of accounts not scanned", error=type(error).__name__)

    def _ledger_of(self, name: str) -> Ledger | None:
        account = self._accounts.get(name)
        return None if account is None else self._household(account).ledger

    def _household(self, account: Account) -> Household:
        with self._lock:
            found = self._open.get(account.name)
            if found is None or found.account is not account:
                found = self._open[account.name] = self._make(account, self._stopping)
            self._open.move_to_end(account.name)
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
            return found

    def _every_s(self, name: str) -> float:
        account = self._accounts.get(name)
        if account is not None and account.settings.synthetic_call_every_s:
            return min(_SYNTHETIC_EVERY_S, self._busy_every_s)
        is_busy = time.monotonic() - self._heard_at.get(name, -BUSY_FOR_S) < BUSY_FOR_S
        return self._busy_every_s if is_busy else self._idle_every_s

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with wakeups_of_all(self._ledger) as heard:
                    while not self._stopping.is_set():
                        if (said := heard(_LONGEST_WAIT_S)) is not None:
                            self.heard(said[0])
            except RedisError:
                self._stopping.wait(_REDIS_AWAY_PAUSE_S)


def _tell(done: Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.error("fault in the clock", error=type(error).__name__)
