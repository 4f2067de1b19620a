"""The dramatiq broker of a worker process: messages in this process's memory, and nowhere else.

A message says "look at this job now". What must be done is in the ledger, so a message needs no
durability, and one kept in Redis would only be a second truth to rescue: see README.md.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from typing import Any

from dramatiq import Broker, Consumer, Message, MessageProxy
from dramatiq.errors import QueueNotFound
from dramatiq.middleware import Middleware


class LocalBroker(Broker):
    """Hands messages from the dispatcher to the worker threads of the same process.

    Delays are refused: only the ledger knows of times.

    Args:
        room: how many messages may be on their way or running at once: as many as there are threads,
            so that no job is taken which others could run now.
    """

    def __init__(self, *, room: int, middleware: list[Middleware] | None = None) -> None:
        super().__init__(middleware=middleware or [])
        self.queues: dict[str, queue.SimpleQueue[bytes]] = {}
        self._room = room
        self._taken = 0
        self._lock = threading.Lock()
        # Set whenever a message is done with, so that the dispatcher can fetch the next.
        self.freed = threading.Event()

    @property
    def room(self) -> int:
        """How many more messages can be run at once."""
        with self._lock:
            return self._room - self._taken

    def declare_queue(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = queue.SimpleQueue()
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        if delay is not None:
            raise ValueError("this broker holds no delays: have the ledger schedule the job")
        if message.queue_name not in self.queues:
            raise QueueNotFound(message.queue_name)  # type: ignore[no-untyped-call]
        with self._lock:
            self._taken += 1
        self.emit_before("enqueue", message, delay)
        self.queues[message.queue_name].put(message.encode())
        self.emit_after("enqueue", message, delay)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> Consumer:
        return _LocalConsumer(self, self.queues[queue_name], timeout)

    def get_declared_queues(self) -> set[str]:
        return set(self.queues)

    def get_declared_delay_queues(self) -> set[str]:
        return set()

    def flush(self, queue_name: str) -> None:
        while not self.queues[queue_name].empty():
            self.queues[queue_name].get()
            self.done()

    def flush_all(self) -> None:
        for name in self.queues:
            self.flush(name)

    def done(self) -> None:
        with self._lock:
            self._taken -= 1
        self.freed.set()


class _LocalConsumer(Consumer):
    def __init__(self, broker: LocalBroker, messages: queue.SimpleQueue[bytes], timeout_ms: int) -> None:
        self._broker, self._messages, self._timeout_s = broker, messages, timeout_ms / 1000

    def __next__(self) -> MessageProxy | None:
        try:
            return MessageProxy(Message.decode(self._messages.get(timeout=self._timeout_s)))
        except queue.Empty:
            return None

    def ack(self, message: MessageProxy) -> None:
        self._broker.done()

    def nack(self, message: MessageProxy) -> None:
        self._broker.done()

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        # At shutdown: nothing to put back, the job is still due in the ledger.
        for _ in messages:
            self._broker.done()

    def close(self) -> None:
        pass
