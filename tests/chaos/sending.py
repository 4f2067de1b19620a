"""Sends webhooks at their times, over a few kept connections, again and again until each is taken.

On a machine that cannot keep up, the day waits: how much goes wrong per call must not hang on its speed.
"""

from __future__ import annotations

import heapq
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence

from tests.chaos.days import Delivery

# What a sender does that got no 2xx; real ones wait for longer.
_AGAIN_AFTER_S = 0.3
# A connection that finds nobody waits before it tries for anything else.
_NOBODY_THERE_S = 0.1
_TIMEOUT_S = 5.0


class DayClock:
    """Seconds into the day: like the wall's, but standing still while `stop` says so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passed_s = 0.0
        self._since: float | None = None

    def now_s(self) -> float:
        with self._lock:
            return self._passed_s + (time.monotonic() - self._since if self._since is not None else 0.0)

    def go(self, on: bool) -> None:
        """Let the day go on, or have it wait."""
        with self._lock:
            now = time.monotonic()
            if self._since is not None:
                self._passed_s += now - self._since
            self._since = now if on else None


class Sender:
    """Attributes:
    taken: for each delivery, the Unix time at which it was answered 2xx, None while it was not.
    counts: answers by status, and `broken` for requests without one.
    """

    def __init__(
        self,
        deliveries: Sequence[Delivery],
        *,
        port: int,
        token: str,
        clock: DayClock,
        connections: int = 6,
    ) -> None:
        self.deliveries = deliveries
        self._port, self._token, self._clock = port, token, clock
        self.taken: list[float | None] = [None] * len(deliveries)
        self.counts: Counter[str] = Counter()
        self._heap = [(delivery.at_s, n) for n, delivery in enumerate(deliveries)]
        heapq.heapify(self._heap)
        self._lock = threading.Lock()
        self._open = len(deliveries)
        self._begun = 0
        self._threads = [
            threading.Thread(target=self._run, name=f"sender{n}", daemon=True) for n in range(connections)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> bool:
        return self._open == 0

    @property
    def late_s(self) -> float:
        """For how long the next delivery has been due."""
        with self._lock:
            return self._clock.now_s() - self._heap[0][0] if self._heap else 0.0

    def curtail(self) -> int:
        """Send nothing of calls that nothing was sent of; how many calls are left."""
        with self._lock:
            self._heap = [(at_s, n) for at_s, n in self._heap if self.deliveries[n].call < self._begun]
            heapq.heapify(self._heap)
            self._open = sum(
                taken is None and one.call < self._begun
                for one, taken in zip(self.deliveries, self.taken, strict=True)
            )
        return self._begun

    def _run(self) -> None:
        pause = threading.Event()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        while True:
            with self._lock:
                if self._open == 0:
                    return
                due = self._heap[0][0] if self._heap else float("inf")
                wait_s = due - self._clock.now_s()
                number = heapq.heappop(self._heap)[1] if wait_s <= 0 else None
                if number is not None:
                    self._begun = max(self._begun, self.deliveries[number].call + 1)
            if number is None:
                pause.wait(min(wait_s, 0.05))
                continue
            one = self.deliveries[number]
            try:
                connection.request(
                    "POST", f"/webhooks/cloudtalk/{one.trigger}", json.dumps(one.body), headers
                )
                response = connection.getresponse()
                response.read()
                answer = str(response.status)
            except (OSError, http.client.HTTPException):
                connection.close()
                answer = "broken"
                pause.wait(_NOBODY_THERE_S)
            with self._lock:
                self.counts[answer] += 1
                if answer.startswith("2"):
                    self.taken[number] = time.time()
                    self._open -= 1
                else:
                    heapq.heappush(self._heap, (self._clock.now_s() + _AGAIN_AFTER_S, number))
