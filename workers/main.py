"""A worker process, of `callbridge worker` or of `dramatiq workers.main`: what it has beside the threads."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import dramatiq
from dramatiq.middleware import Middleware
from dramatiq.worker import Worker

from bridge import tracing
from bridge.accounts.account import Account, Accounts
from bridge.accounts.source import AccountsSource, wrong_in_files
from bridge.clients.http import make_client
from bridge.deps import Deps
from bridge.errors import WrongUse
from bridge.jobs.leases import LeaseKeeper, Leases
from bridge.ledger.queue.claims import Claim
from bridge.ledger.schema import take_up
from bridge.logs import get_logger
from bridge.rules_source import RulesSource
from bridge.secrets_source import SecretsSource
from bridge.settings import Settings
from bridge.wiring import folders, is_in_cluster, open_deps, open_ledger
from workers import actors
from workers.many import ManyBroker, OpenAccounts, Opened
from workers.middleware import Claims
from workers.stopping import ENDS_WITHIN_S, end_within, stop_event, tried_for

log = get_logger(__name__)

# A process manager gives 25 s or more; running jobs get most of it.
_STOP_WITHIN_S = 15.0
_START_WITHOUT_S = 2.0
# For each part of stopping that needs Redis.
_STOP_ONE_S = 1.5
# A renewal of leases that gets no answer is soon tried again, over a new connection.
_RENEWAL_TIMEOUT_S, _RENEWAL_RETRIES = 0.7, 1
# What a stopping process leaves is due again after this: long enough for what it sent last to arrive.
_LEFT_BEHIND_MS = 3_000


class WorkerProcess(Middleware):
    """Lease keeper, heartbeat and wake-ups, which start and stop with the threads of a dramatiq worker."""

    def __init__(self, settings: Settings) -> None:
        self._begin(ManyBroker(partial(open_ledger, settings), middleware=[Claims()]))
        actors.declare_on(self.broker)
        self._open(settings)

    def _begin(self, broker: ManyBroker, *, command: Callable[[], int] = os.getpid) -> None:
        """Args: command: the process that somebody started, which may be the parent of this one."""
        self.broker, self._command = broker, command
        self._worker: Worker | None = None
        self._left: int | None = None
        broker.add_middleware(self)

    def _open(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = self.broker.ledger
        self._client = make_client()
        self._rules, self._secrets = RulesSource(settings), SecretsSource(settings)
        self._accounts = AccountsSource(settings)
        self._keeper = LeaseKeeper(lease_s=self.ledger.lease_ms / 1000)
        self._opened = OpenAccounts(self._served, self._open_account, self._keeper)
        claims = [one for one in self.broker.middleware if isinstance(one, Claims)]
        if self._accounts.is_on:
            self.broker.use(self._opened, self._served(), asks_together=not is_in_cluster(settings))
            self._accounts.on_change(lambda _: self.broker.changed(self._served()))
            for one in claims:
                one.use_of(self._work_of)
            return
        only = self._open_account(self._accounts.now()[""])
        self._keeper.keep(only.leases)
        for one in claims:
            one.use(only.deps, only.leases)

    def _work_of(self, account: str) -> tuple[Deps, Leases]:
        opened = self._opened.of(account)
        return opened.deps, opened.leases

    def _served(self) -> Accounts:
        """Those whose jobs run here: the environment may have webhook tokens alone."""
        found = self._accounts.now()
        if "" not in found or not found[""].settings.missing("cloudtalk", "kustomer"):
            return found
        return {name: one for name, one in found.items() if name}

    def _open_account(self, account: Account) -> Opened:
        """
        Raises:
            WrongUse: a setting is missing, or its ledger is newer than this version.
        """
        settings, is_only = account.settings, not account.name
        ledger = self.ledger if is_only else open_ledger(settings)
        if not is_only:
            take_up(ledger)
        # Renewals wait for no other use of Redis, and not as long as those may take.
        leases = Leases(open_ledger(settings, timeout_s=_RENEWAL_TIMEOUT_S, patience=_RENEWAL_RETRIES))
        deps = open_deps(
            settings,
            ledger,
            client=self._client,
            still_ours=leases.sure,
            rules=self._rules if is_only else RulesSource(settings),
            secrets=self._secrets if is_only else None,
            in_bulk=True,
        )
        return Opened(account=account, deps=deps, leases=leases)

    def start(self) -> None:
        """Start working, in threads of this process."""
        threads = self.settings.worker_threads
        self._worker = Worker(self.broker, worker_threads=threads, worker_timeout=200)
        self._worker.start()

    def stop(self, within_s: float = _STOP_WITHIN_S) -> None:
        """Take nothing more, let running jobs end, hand back what does not end in time."""
        left = self._end(within_s)
        if self._worker is not None:
            self._worker.stop(timeout=1 if left else 1_000)

    def before_worker_boot(self, broker: dramatiq.Broker, worker: Worker) -> None:
        self.broker.threads = worker.worker_threads
        # Kept from the first start on; if Redis is away now, the first job does it.
        tried_for(_START_WITHOUT_S, self.ledger.reach)
        self._keeper.start()
        self.broker.start_listening()
        self._heartbeat = self.ledger.heartbeat(
            "worker",
            threads=worker.worker_threads,
            busy=lambda: self.broker.busy,
            folders=folders(self.settings),
            command=self._command,
            rules=self._rules.state,
            files=lambda: wrong_in_files(self._secrets, self._accounts),
        )
        self._heartbeat.start()
        log.info("worker started", threads=worker.worker_threads, pid=os.getpid())

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Worker) -> None:
        self._end(_STOP_WITHIN_S)

    def _end(self, within_s: float) -> int:
        """How many jobs were handed back; does nothing the second time."""
        if self._left is not None:
            return self._left
        began = time.monotonic()
        # Each of these may be waiting for a Redis that does not answer.
        tried_for(_STOP_ONE_S, self.broker.stop_taking)
        while self.broker.busy and time.monotonic() < began + within_s:
            self.broker.wake.wait(0.05)
            self.broker.wake.clear()
        tried_for(_STOP_ONE_S, self._heartbeat.stop)
        left = [(leases, leases.held()) for leases in self._keeper.kept()]
        self._left = sum(len(claims) for _, claims in left)
        tried_for(_STOP_ONE_S, self._keeper.stop)
        for leases, claims in left:
            for claim in claims:
                # Whoever is still at it sends nothing more.
                leases.give_up(claim.name)
        tried_for(_STOP_ONE_S, lambda: _hand_back(left))
        self._client.close()
        tracing.flush()
        log.info("worker stopped", handed_back=self._left, pid=os.getpid())
        return self._left


def _hand_back(left: Sequence[tuple[Leases, list[Claim]]]) -> None:
    for leases, claims in left:
        leases.ledger.hand_back([(one.name, one.token) for one in claims], in_ms=_LEFT_BEHIND_MS)
        leases.hand_back()


def run(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT; the exit code."""
    stopping = stop_event()
    process = WorkerProcess(settings)
    process.start()
    while not stopping.wait(3600):
        pass
    process.stop()
    return 0


class _OfDramatiqsCommand(WorkerProcess):
    """One of the processes of `dramatiq workers.main`. Its settings are read when it starts."""

    def __init__(self) -> None:
        # One command, however many processes it has.
        self._begin(actors.broker, command=os.getppid)
        self._is_open = False

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        from bridge.commands.context import start_process

        if self._is_open:
            return
        try:
            self._open(start_process("worker"))
        except WrongUse as error:
            # dramatiq's command would show a traceback.
            sys.stderr.write(f"{error}\n")
            raise SystemExit(2) from None
        self._is_open = True

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Worker) -> None:
        end_within(ENDS_WITHIN_S)
        super().before_worker_shutdown(broker, worker)


_process = _OfDramatiqsCommand()
dramatiq.set_broker(actors.broker)


def setup() -> None:
    """For `dramatiq workers.main:setup`, as earlier versions wanted it."""
    _process.after_process_boot(actors.broker)
