"""The global numbers, read from the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.ledger.budgets.budget import Budget
from bridge.ledger.calls.missed import open_misses
from bridge.ledger.health import storage_failing
from bridge.ledger.keys import LANE_NAMES
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import commands_of
from bridge.ledger.queue.connections import Connections
from bridge.ledger.synthetic import read_synthetic
from bridge.metrics.families import TRIGGERS
from bridge.metrics.family import Buckets, Labels

Numbers = dict[str, Mapping[Labels, Any]]
_ONE: Labels = ()


def read_shared(ledger: Ledger, budgets: Sequence[Budget], connections: Connections) -> Numbers:
    """The values by family, names without `callbridge_`.

    Raises: what redis-py raises.
    """
    return {
        **dict(_queue(ledger)),
        **dict(_counters(ledger.counts())),
        **dict(_histograms(ledger)),
        **dict(_budgets(budgets)),
        **dict(_facts(ledger)),
        **dict(_processes(ledger)),
        "connection_up": {
            (scope,): int(found["state"] == "READY")
            for scope, found in {**_READY, **connections.state()}.items()
        },
        "missed_open": {_ONE: open_misses(ledger)},
        "held": {_ONE: ledger.held_count()},
        "ledger_other_events": {_ONE: ledger.other_count()},
    }


_READY = {"cloudtalk": {"state": "READY"}, "kustomer": {"state": "READY"}}


def _queue(ledger: Ledger) -> Iterator[tuple[str, Mapping[Labels, float]]]:
    states = {LANE_NAMES[lane]: state for lane, state in ledger.queue().items()}
    names = ("due", "overdue", "waiting", "running")
    yield "jobs", {(lane, what): getattr(state, what) for lane, state in states.items() for what in names}
    yield "oldest_due_seconds", {(lane,): state.oldest_due_s for lane, state in states.items()}
    found = ledger.queue_by_kind()
    kinds = [
        (LANE_NAMES[lane], kind, state) for lane, of in found.lanes.items() for kind, state in of.items()
    ]
    yield (
        "jobs_by_kind",
        {(lane, kind, what): getattr(one, what) for lane, kind, one in kinds for what in names},
    )
    yield "oldest_due_by_kind_seconds", {(lane, kind): one.oldest_due_s for lane, kind, one in kinds}
    parked: dict[Labels, float] = {}
    parked.update(found.parked.items())
    if found.unread:
        # Beyond those looked at: their sum stays right.
        parked["other", "other"] = found.unread
    yield "parked", parked


def _counters(counts: Mapping[str, int]) -> Iterator[tuple[str, Mapping[Labels, float]]]:
    webhooks = _split(counts, "webhook", 2, trigger=True)
    yield "webhooks", webhooks
    duplicates: Counter[Labels] = Counter()
    for (trigger, answer), number in webhooks.items():
        if answer == "duplicate":
            duplicates[(trigger,)] += number
    yield "duplicates", duplicates
    yield "refused", _split(counts, "refused", 2, trigger=True)
    yield "upstream_requests", _split(counts, "upstream", 3)
    yield "job_runs", _split(counts, "job", 2)
    yield "retries", _split(counts, "retry", 1)
    yield "customers", _split(counts, "customer", 1)
    yield "attachments_orphaned", {_ONE: counts.get("attachment:orphaned", 0)}
    yield "calls_recovered", {_ONE: counts.get("calls:recovered", 0)}


def _split(counts: Mapping[str, int], first: str, parts: int, *, trigger: bool = False) -> Counter[Labels]:
    """Counters `first:a:b` by (a, b).

    Triggers that nobody knows become `other`, as each name makes a series of its own.
    """
    found: Counter[Labels] = Counter()
    for name, number in counts.items():
        kind, _, rest = name.partition(":")
        if kind != first:
            continue
        values = rest.rsplit(":", 1) if trigger else rest.split(":", parts - 1)
        if len(values) != parts:
            continue
        if trigger and values[0] not in TRIGGERS:
            values[0] = "other"
        found[tuple(values)] += number
    return found


_HISTOGRAMS = {
    "end_to_note": "call_end_to_note_seconds",
    "end_to_recording": "call_end_to_recording_seconds",
    "call_back": "missed_call_back_seconds",
    "ring_to_card": "ring_to_cue_card_seconds",
    "upstream": "upstream_request_duration_seconds",
    "job_wait": "job_wait_seconds",
}


def _histograms(ledger: Ledger) -> Iterator[tuple[str, Mapping[Labels, Buckets]]]:
    for name, series in ledger.measures().items():
        yield (
            _HISTOGRAMS[name],
            {labels: Buckets(one.buckets, one.sum_s, one.traces) for labels, one in series.items()},
        )


def _budgets(budgets: Sequence[Budget]) -> Iterator[tuple[str, Mapping[Labels, float]]]:
    states = {budget.service: budget.state() for budget in budgets}
    yield "budget_left", {(service,): state["left"] for service, state in states.items()}
    yield "budget_limit", {(service,): state["per_window"] for service, state in states.items()}
    for name, field in (("budget_waiting", "jobs"), ("budget_drain_seconds", "drain_s")):
        yield (
            name,
            {
                (service, lane): those[field]
                for service, state in states.items()
                for lane, those in state["waiting"].items()
            },
        )


def _facts(ledger: Ledger) -> Iterator[tuple[str, Mapping[Labels, float]]]:
    facts = ledger.facts()
    seen, server = facts.seen, facts.server
    yield "calls_missing", {_ONE: facts.calls_missing}
    for name in ("calls_duplicated", "storage_bytes", "storage_objects"):
        yield name, {_ONE: seen.get(name, 0)}
    for name in ("webhook", "reconcile", "audit"):
        yield f"last_{name}_timestamp_seconds", {_ONE: seen.get(f"last_{name}_at", 0)}
    yield "storage_up", {_ONE: int(not storage_failing(ledger))}
    synthetic = read_synthetic(ledger)
    yield "last_synthetic_call_timestamp_seconds", {_ONE: synthetic.get("last_ok_at", 0)}
    yield "synthetic_call_duration_seconds", {_ONE: synthetic.get("duration_s", 0)}
    yield "redis_memory_bytes", {_ONE: server.get("used_memory", 0)}
    yield "redis_memory_limit_bytes", {_ONE: server.get("maxmemory", 0)}
    yield "redis_last_save_timestamp_seconds", {_ONE: server.get("rdb_last_save_time", 0)}
    yield "redis_last_save_ok", {_ONE: int(server.get("rdb_last_bgsave_status", "ok") == "ok")}
    yield "redis_aof_enabled", {_ONE: server.get("aof_enabled", 0)}
    yield "redis_aof_ok", {_ONE: int(server.get("aof_last_write_status", "ok") == "ok")}


def _processes(ledger: Ledger) -> Iterator[tuple[str, Mapping[Labels, float]]]:
    found = ledger.processes()
    yield "processes", {(kind,): count for kind, count in commands_of(found).items()}
    threads: Counter[Labels] = Counter()
    busy: Counter[Labels] = Counter()
    for one in found:
        threads[(one.kind,)] += one.threads
        busy[(one.kind,)] += one.busy
    yield "threads", threads
    yield "threads_busy", busy
