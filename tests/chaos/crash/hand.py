"""What a journey drives: a worker's parts in one thread, so that each run passes the same points in order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import httpx2
from dramatiq import MessageProxy

from bridge.clients.media import MediaFetcher
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event
from bridge.domain.webhook.messages import Message, read_delivery
from bridge.jobs.leases import Leases
from bridge.ledger.keys import QUEUE_KEYS, Lane
from bridge.ledger.messages.records import record_message
from bridge.settings import Settings
from bridge.wiring import open_deps, open_ledger
from tests.chaos.crash.watch import Watch, WatchedStorage
from tests.support import Runner, let_pass
from tests.waiting import eventually

_MOST_ROUNDS = 300


class Hand:
    """A worker in the hand of a journey, inside the process that may be killed."""

    def __init__(self, settings: Settings, client: httpx2.Client, watch: Watch, *, lease_ms: int) -> None:
        self.settings, self.client, self.watch = settings, client, watch
        self.ledger = open_ledger(settings)
        self.ledger.lease_ms = lease_ms
        self.leases = Leases(self.ledger)
        deps = open_deps(settings, self.ledger, client=client, still_ours=self.leases.sure)
        # The storage under watch, too.
        self.deps = replace(
            deps,
            open_storage=lambda: cast(Any, WatchedStorage(deps.open_storage(), watch)),
            # The sandbox is no public host.
            media=MediaFetcher(schemes=("http",), allows=lambda address: True),
        )
        self._runner = Runner(self.deps, self.leases)
        self._consumer = self._runner.broker.consume("jobs", timeout=0)

    def tell(self, trigger: str, body: Mapping[str, Any]) -> None:
        """A webhook, kept as the web process does; its own journeys kill that one."""
        rules: Rules = self.settings.rules
        event = read_delivery(trigger, body, rules)
        with self.watch.aside():
            if isinstance(event, Message):
                record_message(self.ledger, event, body)
            else:
                assert isinstance(event, Event)
                self.ledger.record_event(event, body)

    def run_due(self) -> None:
        """Run what is due now, until nothing is."""
        for _ in range(_MOST_ROUNDS):
            message = self._next_message()
            if message is None:
                return
            self._runner.run(message.actor_name, message.args[0])
            self._consumer.ack(message)
        raise AssertionError("jobs without end")

    def _next_message(self) -> MessageProxy | None:
        with self.watch.aside():
            self._order_by_name()
        self._runner.broker.wake.set()
        return next(self._consumer)

    def run_all(self) -> None:
        """Run all there is to do, letting time pass to each next job; no real time passes."""
        for _ in range(_MOST_ROUNDS):
            self.run_due()
            with self.watch.aside():
                wait_s = self._next_in_s()
                if wait_s is None:
                    return
                let_pass(self.ledger.redis, wait_s)
        raise AssertionError("jobs without end")

    def pass_time(self, seconds: float) -> None:
        with self.watch.aside():
            let_pass(self.ledger.redis, seconds)

    def until(self, is_so: Any, what: str) -> None:
        """Wait for something that other threads of this process bring about."""
        with self.watch.aside():
            eventually(is_so, what)

    def _order_by_name(self) -> None:
        """Give all jobs of a lane that are due the same time, so that Redis hands them out by name.

        Two that became due by one step, often within the same millisecond, otherwise run in an order that
        depends on the machine's speed. A measuring run and the run that is killed would then differ.
        """
        client = self.ledger.redis
        for lane in QUEUE_KEYS[: len(Lane)]:
            due = client.zrangebyscore(lane, "-inf", self.ledger.now_ms())
            if len(due) > 1:
                first_at = client.zscore(lane, str(due[0])) or 0
                client.zadd(lane, {str(name): first_at for name in due})

    def _next_in_s(self) -> float | None:
        client = self.ledger.redis
        first = [client.zrange(name, 0, 0, withscores=True) for name in QUEUE_KEYS[: len(Lane)]]
        scores = [float(found[0][1]) for found in first if found]
        return max(0.0, min(scores) / 1000 - time.time()) + 0.002 if scores else None
