"""A worker process: dispatcher, lease keeper, and dramatiq's threads around the one actor."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import dramatiq
from dramatiq.middleware import Middleware
from dramatiq.worker import Worker

from bridge.clients.http import make_client
from bridge.errors import WrongUse
from bridge.jobs.leases import Leases
from bridge.jobs.runner import Runner
from bridge.logs import get_logger
from bridge.settings import Settings
from bridge.wiring import open_deps, open_ledger
from workers.actors import declare
from workers.broker import LocalBroker
from workers.dispatcher import Dispatcher
from workers.stopping import ENDS_WITHIN_S, end_within, stop_event, tried_for
from workers.time_limit import TimeLimit

log = get_logger(__name__)

# A process manager gives 25 s or more; running jobs get most of it.
_STOP_WITHIN_S = 15.0
_START_WITHOUT_S = 2.0
# For each part of stopping that needs Redis.
_STOP_ONE_S = 1.5
# What a stopping process leaves is due again after this: long enough for what it sent last to arrive.
_LEFT_BEHIND_MS = 3_000


class WorkerProcess:
    """Everything of one worker process. Opens Redis and HTTP when started, not before."""

    def __init__(self, settings: Settings, *, command: Callable[[], int] = os.getpid) -> None:
        """Args: command: the process that somebody started, which may be the parent of this one."""
        self.settings = settings
        self.ledger = open_ledger(settings)
        self.leases = Leases(self.ledger)
        self._client = make_client()
        deps = open_deps(settings, self.ledger, client=self._client, still_ours=self.leases.sure)
        self.runner = Runner(deps, self.leases)
        self.jobs = TimeLimit(self.runner, self.leases, self.ledger)
        self.broker = LocalBroker(room=settings.worker_threads)
        self.heartbeat = self.ledger.heartbeat(
            "worker",
            threads=settings.worker_threads,
            busy=lambda: settings.worker_threads - self.broker.room,
            command=command,
        )
        self.dispatcher = Dispatcher(self.ledger, self.broker, declare(self.broker, self.jobs))
        self._worker: Worker | None = None

    def start(self, *, with_threads: bool = True) -> None:
        """Start working. `with_threads=False`: dramatiq's own command brings the threads."""
        # Kept from the first start on; if Redis is away now, the first job does it.
        tried_for(_START_WITHOUT_S, self.ledger.reach)
        self.leases.start()
        if with_threads:
            self._worker = Worker(
                self.broker, worker_threads=self.settings.worker_threads, worker_timeout=200
            )
            self._worker.start()
        self.dispatcher.start()
        self.heartbeat.start()
        log.info("worker started", threads=self.settings.worker_threads, pid=os.getpid())

    def stop(self, within_s: float = _STOP_WITHIN_S) -> None:
        """Take nothing more, let running jobs end, hand back what does not end in time."""
        began = time.monotonic()
        # Each of these may be waiting for a Redis that does not answer.
        tried_for(_STOP_ONE_S, self.dispatcher.stop)
        deadline = began + within_s
        while self.broker.room < self.settings.worker_threads and time.monotonic() < deadline:
            self.broker.freed.wait(0.05)
            self.broker.freed.clear()
        tried_for(_STOP_ONE_S, self.heartbeat.stop)
        left = self.leases.held()
        if self._worker and not left:
            self._worker.stop(timeout=1_000)
        tried_for(_STOP_ONE_S, self.leases.stop)
        tried_for(_STOP_ONE_S, lambda: self.ledger.shorten(left, to_ms=_LEFT_BEHIND_MS))
        self._client.close()
        log.info("worker stopped", handed_back=len(left), pid=os.getpid())


def run(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT; the exit code."""
    stopping = stop_event()
    process = WorkerProcess(settings)
    process.start()
    while not stopping.wait(3600):
        pass
    process.stop()
    return 0


class _Lifecycle(Middleware):
    """Starts and stops the rest of a process whose threads dramatiq's own command has made."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    def after_worker_boot(self, broker: dramatiq.Broker, worker: Worker) -> None:
        self._process.start(with_threads=False)

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Worker) -> None:
        end_within(ENDS_WITHIN_S)
        self._process.stop()


def setup() -> None:
    """For dramatiq's own command, which runs several processes: `dramatiq workers.main:setup -p 2 -t 8`."""
    from bridge.commands.context import start_process

    try:
        settings = start_process("worker")
    except WrongUse as error:
        # dramatiq's command would show a traceback.
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    # One command, however many processes it has.
    process = WorkerProcess(settings, command=os.getppid)
    process.broker.add_middleware(_Lifecycle(process))
    dramatiq.set_broker(process.broker)
