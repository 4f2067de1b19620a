"""The numbers for Prometheus, read from the ledger at each scrape: any web process gives all of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bridge.domain.webhook.events import OTHER_TRIGGERS, STAGE_OF
from bridge.journal.journal import Journal
from bridge.ledger import keys
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.calls.comparison import calls_missing
from bridge.ledger.faults import RedisError
from bridge.ledger.keys import LANE_NAMES
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import commands_of
from bridge.ledger.queue.connections import SERVICES, Connections

_TRIGGERS = STAGE_OF.keys() | OTHER_TRIGGERS


class LedgerCollector(Collector):
    """Reads the ledger anew for every scrape; without Redis it says so, and nothing else."""

    def __init__(self, ledger: Ledger, budgets: Sequence[Budget], connections: Connections) -> None:
        self._ledger = ledger
        self._budgets = budgets
        self._connections = connections

    def describe(self) -> Iterable[Metric]:
        # Registering a collector that does not describe itself would collect, and so ask Redis.
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            found = [*self._queue(), *self._counters(), *self._rest()]
        except (RedisError, OSError):
            found = []
        yield _ledger_up(bool(found))
        yield from found

    def _queue(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily(
            "callbridge_jobs",
            "Jobs by lane: due (nobody holds it), overdue (due for more than 5 s, part of due), "
            "waiting (planned for later), running.",
            labels=["lane", "state"],
        )
        oldest = GaugeMetricFamily(
            "callbridge_oldest_due_seconds",
            "For how long the oldest due job of a lane has been due.",
            labels=["lane"],
        )
        for lane, state in self._ledger.queue().items():
            name = LANE_NAMES[lane]
            for what in ("due", "overdue", "waiting", "running"):
                jobs.add_metric([name, what], getattr(state, what))
            oldest.add_metric([name], state.oldest_due_s)
        yield jobs
        yield oldest
        parked = GaugeMetricFamily(
            "callbridge_parked", "Jobs given up, waiting for a person.", labels=["kind", "cause"]
        )
        causes = Counter(
            (keys.split_job(name)[0], str(job.get("cause") or "unknown"))
            for name, job in self._ledger.parked().items()
        )
        for labels, number in sorted(causes.items()):
            parked.add_metric(labels, number)
        yield parked

    def _counters(self) -> Iterator[Metric]:
        counts = self._ledger.counts()
        yield _family(
            "callbridge_webhooks",
            "Webhooks let in, by what became of them.",
            ["trigger", "answer"],
            _split(counts, "webhook", 2, trigger=True),
        )
        yield _family(
            "callbridge_refused",
            "Webhooks not let in, by cause.",
            ["trigger", "cause"],
            _split(counts, "refused", 2, trigger=True),
        )
        yield _family(
            "callbridge_upstream_requests",
            "Requests to CloudTalk and Kustomer, by how they ended.",
            ["service", "operation", "status"],
            _split(counts, "upstream", 3),
        )
        yield _family(
            "callbridge_job_runs",
            "Runs of jobs, by how they ended.",
            ["kind", "end"],
            _split(counts, "job", 2),
        )

        yield _family(
            "callbridge_attachments_orphaned",
            "Attachments registered in Kustomer that no note names, left by crashes and lost replies.",
            [],
            {(): counts.get("attachment:orphaned", 0)},
        )
        yield _family(
            "callbridge_calls_recovered",
            "Calls that no webhook told of, found in CloudTalk's list, and written as Kustomer lacked them.",
            [],
            {(): counts.get("calls:recovered", 0)},
        )

    def _rest(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "callbridge_held",
            "Webhooks that cannot be tied to a call, kept.",
            value=self._ledger.held_count(),
        )
        running = GaugeMetricFamily(
            "callbridge_processes",
            "Global: processes that run, one for each web, worker and clock command.",
            labels=["kind"],
        )
        for kind, count in commands_of(self._ledger.processes()).items():
            running.add_metric([kind], count)
        yield running
        yield GaugeMetricFamily(
            "callbridge_ledger_other_events",
            "Messages and changes of contacts that are kept: they speak of no call, and are not held.",
            value=self._ledger.other_count(),
        )
        yield from self._spending()
        yield from self._roads()
        missing = calls_missing(self._ledger)
        if missing is not None:
            yield GaugeMetricFamily(
                "callbridge_calls_missing",
                "Calls of CloudTalk's list that the last look did not find here or in Kustomer.",
                value=missing,
            )

    def _roads(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "callbridge_connection_up",
            "0 while a service, or one of its actions, is closed to us, and jobs that need it wait.",
            labels=["service"],
        )
        states = dict.fromkeys(SERVICES, "READY")
        states |= {scope: found["state"] for scope, found in self._connections.state().items()}
        for scope, state in states.items():
            up.add_metric([scope], int(state == "READY"))
        yield up

    def _spending(self) -> Iterator[Metric]:
        left = GaugeMetricFamily(
            "callbridge_budget_left",
            "Requests that the bridge may still send to a service in this window.",
            labels=["service"],
        )
        waiting = GaugeMetricFamily(
            "callbridge_budget_waiting", "Jobs that wait for a slot of a service.", labels=["service", "lane"]
        )
        drain = GaugeMetricFamily(
            "callbridge_budget_drain_seconds",
            "Until the last of those who wait now has its slot, at the share of now.",
            labels=["service", "lane"],
        )
        for budget in self._budgets:
            state = budget.state()
            left.add_metric([budget.service], state["left"])
            for lane, those in state["waiting"].items():
                waiting.add_metric([budget.service, lane], those["jobs"])
                drain.add_metric([budget.service, lane], those["drain_s"])
        yield from (left, waiting, drain)


def _ledger_up(is_up: bool) -> Metric:
    return GaugeMetricFamily("callbridge_ledger_up", "1 when Redis answers.", value=int(is_up))


def _family(
    name: str, says: str, labels: Sequence[str], numbers: Mapping[tuple[str, ...], int]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, says, labels=labels)
    for values, number in sorted(numbers.items()):
        family.add_metric(values, number)
    return family


def _split(
    counts: Mapping[str, int], first: str, parts: int, *, trigger: bool = False
) -> Counter[tuple[str, ...]]:
    """Counters `first:a:b` by (a, b).

    Triggers that nobody knows become `other`, as each name makes a series of its own.
    """
    found: Counter[tuple[str, ...]] = Counter()
    for name, number in counts.items():
        kind, _, rest = name.partition(":")
        values = rest.rsplit(":", 1) if trigger else rest.split(":", parts - 1)
        if kind != first or len(values) != parts:
            continue
        if trigger and values[0] not in _TRIGGERS:
            values[0] = "other"
        found[tuple(values)] += number
    return found


class JournalCollector(Collector):
    """What waits in the journal of the process that is asked; it needs no Redis."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        depth = self._journal.depth()
        if not (self._journal.is_on or depth.events or depth.set_aside or depth.stuck):
            return
        oldest = depth.oldest_at_ms
        for name, says, value in (
            ("events", "Webhooks in this web process's journal, waiting for Redis.", depth.events),
            ("bytes", "Size of this web process's journal.", depth.bytes),
            (
                "oldest_seconds",
                "For how long the oldest of them has waited.",
                0 if oldest is None else max(0.0, time.time() - oldest / 1000),
            ),
            (
                "set_aside",
                "Files of damaged or refused records in DATA_DIR/journal, waiting for a person.",
                depth.set_aside,
            ),
            (
                "stuck",
                "Files in DATA_DIR/journal that cannot be read or removed; the log names them.",
                depth.stuck,
            ),
        ):
            yield GaugeMetricFamily(f"callbridge_journal_{name}", says, value=value)


def registry_of(
    ledger: Ledger, budgets: Sequence[Budget], connections: Connections, journal: Journal, *own: Collector
) -> CollectorRegistry:
    """A registry of our own: the process-wide one holds what libraries put there.

    Args:
        own: further collectors of this process's own numbers.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LedgerCollector(ledger, budgets, connections))
    for collector in (JournalCollector(journal), *own):
        registry.register(collector)
    return registry


def ledger_down(journal: Journal, *own: Collector) -> bytes:
    """What is told when Redis did not even answer in time."""
    registry = CollectorRegistry(auto_describe=False)

    class Down(Collector):
        def describe(self) -> Iterable[Metric]:
            return []

        def collect(self) -> Iterator[Metric]:
            yield _ledger_up(False)

    for collector in (Down(), JournalCollector(journal), *own):
        registry.register(collector)
    return generate_latest(registry)
