"""A worker process, of `callbridge worker` or of `dramatiq workers.main`: what it has beside the threads."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial

import dramatiq
from dramatiq.middleware import Middleware
from dramatiq.worker import Worker

from bridge import tracing
from bridge.clients.http import make_client
from bridge.errors import WrongUse
from bridge.jobs.leases import Leases
from bridge.logs import get_logger
from bridge.rules_source import RulesSource
from bridge.secrets_source import SecretsSource
from bridge.settings import Settings
from bridge.wiring import folders, open_deps, open_ledger
from workers import actors
from workers.broker import LedgerBroker
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
        self._begin(LedgerBroker(partial(open_ledger, settings), middleware=[Claims()]))
        actors.declare_on(self.broker)
        self._open(settings)

    def _begin(self, broker: LedgerBroker, *, command: Callable[[], int] = os.getpid) -> None:
        """Args: command: the process that somebody started, which may be the parent of this one."""
        self.broker, self._command = broker, command
        self._worker: Worker | None = None
        self._left: int | None = None
        broker.add_middleware(self)

    def _open(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = self.broker.ledger
        # Renewals wait for no other use of Redis, and not as long as those may take.
        self._lease_ledger = open_ledger(settings, timeout_s=_RENEWAL_TIMEOUT_S, patience=_RENEWAL_RETRIES)
        self.leases = Leases(self._lease_ledger)
        self._client = make_client()
        self._rules, self._secrets = RulesSource(settings), SecretsSource(settings)
        deps = open_deps(
            settings,
            self.ledger,
            client=self._client,
            still_ours=self.leases.sure,
            rules=self._rules,
            secrets=self._secrets,
            in_bulk=True,
        )
        for one in self.broker.middleware:
            if isinstance(one, Claims):
                one.use(deps, self.leases)

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
        self.leases.start()
        self.broker.start_listening()
        self._heartbeat = self.ledger.heartbeat(
            "worker",
            threads=worker.worker_threads,
            busy=lambda: self.broker.busy,
            folders=folders(self.settings),
            command=self._command,
            rules=self._rules.state,
            secrets=self._secrets.look,
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
        left = self.leases.held()
        self._left = len(left)
        tried_for(_STOP_ONE_S, self.leases.stop)
        for claim in left:
            # Whoever is still at it sends nothing more.
            self.leases.give_up(claim.name)
        tried_for(_STOP_ONE_S, lambda: self.ledger.shorten(left, to_ms=_LEFT_BEHIND_MS))
        self._client.close()
        tracing.flush()
        log.info("worker stopped", handed_back=len(left), pid=os.getpid())
        return len(left)


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
