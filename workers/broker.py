"""A dramatiq broker whose queue is the ledger's due set in Redis.

A message says "look at this job now". The job itself is in the ledger, under its name, so a message that is
lost or repeated costs one look at most. See README.md.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dramatiq import Broker, Consumer, Message, MessageProxy
from dramatiq.errors import ActorNotFound, QueueNotFound
from dramatiq.middleware import Middleware

from bridge.ledger.faults import RedisError, why
from bridge.ledger.keys import LANE_NAMES, WAKE, split_job
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import DueJob
from bridge.ledger.queue.kinds import KINDS
from bridge.logs import get_logger

log = get_logger(__name__)

# A wake-up that got lost costs at most this.
_LONGEST_WAIT_S = 1.0
_REDIS_AWAY_PAUSE_S = 0.25
# So that a job which is due and cannot be taken does not spin.
_SHORTEST_WAIT_S = 0.002
# After a job that was named to an idle process; its claim comes before the next look.
_AFTER_NAMED_S = 0.02
_LANES = {name: lane for lane, name in LANE_NAMES.items()}


class LedgerBroker(Broker):
    """Sends jobs to the ledger, and hands due ones to the threads of this process.

    Args:
        open_ledger: called once, when the ledger is first needed.
        middleware: none of dramatiq's own is added: the ledger retries, delays and recovers.
        threads: how many jobs this process runs at once; a dramatiq worker sets it when it starts.
    """

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        *,
        middleware: Sequence[Middleware] = (),
        threads: int = 1,
    ) -> None:
        super().__init__(middleware=list(middleware))
        self.queues: set[str] = set()
        self.threads = threads
        # Set by a wake-up, when a thread becomes free, and when this process stops.
        self.wake = threading.Event()
        self.channel = WAKE
        self._open_ledger = open_ledger
        self._ledger: Ledger | None = None
        self._taken = 0
        # A job that became due while this process was idle: it is claimed without a look at what else is due.
        self._named: DueJob | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._fetching = threading.Lock()

    @property
    def ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = self._open_ledger()
        return self._ledger

    @property
    def busy(self) -> int:
        """How many jobs are on their way to a thread, or running in one."""
        with self._lock:
            return self._taken

    def declare_queue(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def get_declared_queues(self) -> set[str]:
        return set(self.queues)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Have the job looked at after `delay` ms; where it is planned for earlier, that stands.

        Its only argument is the job's key, such as `uuid:…` or `id:…`. The option `lane` names a lane, and
        `account` whose job it is. Nothing else of the message is kept: a job is there once, however often it
        is sent.
        """
        if message.queue_name not in self.queues:
            raise QueueNotFound(message.queue_name)  # type: ignore[no-untyped-call]
        if message.actor_name not in KINDS:
            raise ActorNotFound(message.actor_name)  # type: ignore[no-untyped-call]
        key = message.args[0] if len(message.args) == 1 and not message.kwargs else None
        if not isinstance(key, str):
            raise TypeError(f"{message.actor_name} expects one argument, the job's key")
        kind = KINDS[message.actor_name]
        lane = _LANES[message.options["lane"]] if "lane" in message.options else kind.lane
        self.emit_before("enqueue", message, delay)
        ledger = self.ledger_of(message.options.get("account", ""))
        ledger.schedule(kind.name, key, in_ms=delay or 0, lane=lane)
        self.emit_after("enqueue", message, delay)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> Consumer:
        """Jobs, one at a time. `prefetch` is not used: none is taken that no thread is free for."""
        return _LedgerConsumer(self, queue_name, timeout)

    # -- of a process that runs jobs

    def take(self) -> tuple[float, list[DueJob]]:
        """Seconds until it is worth looking again, and names of due jobs, best lane first."""
        with self._fetching:
            room = self.threads - self.busy
            if room <= 0 or self._stopped.is_set():
                return _LONGEST_WAIT_S, []
            if (named := self._named) is not None:
                self._named = None
                self._count([named])
                return _AFTER_NAMED_S, [named]
            return self._take_due(room)

    def _take_due(self, room: int) -> tuple[float, list[DueJob]]:
        """At most so many of the jobs that are due, and when to look again."""
        wait_ms, names = self.ledger.dispatch(room)
        self._count(names)
        if len(names) == room or wait_ms < 0:
            return _LONGEST_WAIT_S, names
        return min(_LONGEST_WAIT_S, wait_ms / 1000), names

    def _count(self, names: Sequence[DueJob]) -> None:
        """These are on their way to a thread."""
        with self._lock:
            self._taken += len(names)

    def woken(self, text: str) -> None:
        """Have a job that became due run, or the ledger looked at, by what was heard.

        The job is tried without a look at the ledger first where nothing else is under way here: its claim
        decides whether it is ours, as for any message. Otherwise the ledger says which job is next.
        """
        is_alone = "|" in text and not self.busy and not self.wake.is_set()
        self._named = DueJob(text, 0) if is_alone else None
        self.wake.set()

    def done(self, accounts: Sequence[str] = ("",)) -> None:
        """A thread is free again for each of these; it ran a job of that account."""
        with self._lock:
            self._taken -= len(accounts)
        self.wake.set()

    def ledger_of(self, account: str) -> Ledger:
        """This broker has one account, without a name (`workers/many.py` has a broker of many)."""
        if account:
            raise LookupError(f"this process runs no jobs of the account {account!r}")
        return self.ledger

    def start_listening(self) -> None:
        """Have wake-ups heard, so that an idle worker starts at once."""
        threading.Thread(target=self._listen, name="wake", daemon=True).start()

    def stop_taking(self) -> None:
        """Take no more jobs. Returns when no look at the ledger is under way."""
        self._stopped.set()
        self.wake.set()
        with self._fetching:
            pass

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                with self.ledger.wakeups(self.channel) as heard:
                    # What was published before we listened was not heard.
                    self.wake.set()
                    while not self._stopped.is_set():
                        if (text := heard(_LONGEST_WAIT_S)) is not None:
                            self.woken(text)
            except RedisError:
                self._stopped.wait(_REDIS_AWAY_PAUSE_S)


class _LedgerConsumer(Consumer):
    """Looks at the ledger when something was learnt, a job is due, or a thread became free."""

    def __init__(self, broker: LedgerBroker, queue_name: str, timeout_ms: int) -> None:
        self._broker, self._queue_name, self._timeout_s = broker, queue_name, timeout_ms / 1000
        self._names: deque[DueJob] = deque()
        self._look_at = 0.0
        self._redis_is_away = False

    def __next__(self) -> MessageProxy | None:
        if not self._names:
            self._wait_and_take()
        if not self._names:
            return None
        job = self._names.popleft()
        kind, key = split_job(job)
        options: dict[str, Any] = {"due_for_ms": job.due_for_ms}
        if job.account:
            options["account"] = job.account
        return MessageProxy(
            Message(queue_name=self._queue_name, actor_name=kind, args=(key,), kwargs={}, options=options)
        )

    def _wait_and_take(self) -> None:
        wait_s = max(0.0, min(self._timeout_s, self._look_at - time.monotonic()))
        if not self._broker.wake.wait(wait_s) and time.monotonic() < self._look_at:
            return
        self._broker.wake.clear()
        try:
            wait_s, names = self._broker.take()
            self._names.extend(names)
            self._redis_is_away = False
        except RedisError as error:
            if not self._redis_is_away:
                log.warning("Redis refuses writes, waiting", error=type(error).__name__, why=why(error))
            self._redis_is_away, wait_s = True, _REDIS_AWAY_PAUSE_S
        self._look_at = time.monotonic() + max(wait_s, _SHORTEST_WAIT_S)

    def ack(self, message: MessageProxy) -> None:
        """The middleware `Claims` has ended the job, or somebody else has it."""
        self._broker.done([message.options.get("account", "")])

    def nack(self, message: MessageProxy) -> None:
        """As `ack`: `Claims` has ended the job. One of a kind that is not known here is parked."""
        try:
            if message.actor_name not in self._broker.actors:
                self._park(message.actor_name, message.args[0], message.options.get("account", ""))
        except RedisError as error:
            log.warning("Redis refuses writes, the job is due again when its lease ends", why=why(error))
        finally:
            self._broker.done([message.options.get("account", "")])

    def _park(self, kind: str, key: str, account: str) -> None:
        ledger = self._broker.ledger_of(account)
        if (claim := ledger.claim(kind, key)) is not None:
            ledger.park(claim, cause="unknown", error=f"this version has no job of the kind {kind}")

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Hand back what no thread has begun: in the ledger it is due again 3 s after it was taken."""
        self._broker.done([message.options.get("account", "") for message in messages])

    def close(self) -> None:
        self._broker.done([job.account for job in self._names])
        self._names.clear()
