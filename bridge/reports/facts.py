"""The facts that `problems` decides by, read from the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.ledger.calls.comparison import unannounced_at
from bridge.ledger.health import (
    add_on_missing,
    klass_refused,
    late_live_calls,
    search_refused,
    server_health,
    storage_failing,
)
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import Process, commands_of
from bridge.ledger.queue.connections import TITLES, closed_as, paused_as
from bridge.ledger.synthetic import read_synthetic
from bridge.ledger.watch import read_watch
from bridge.reports.problem import Problem
from bridge.reports.problem_facts import LATE_AFTER_S, Closed, Disk, Facts, RedisFacts
from bridge.reports.problems import find_problems
from bridge.reports.synthetic import synthetic_lateness
from bridge.reports.traffic import budgets_closed, is_unannounced, refused_in_a_row


def what_is_wrong(ledger: Ledger, queue: Mapping[str, Any], running: Sequence[Process]) -> list[Problem]:
    """All problems of now, for a page or a command.

    Args:
        queue: as `queue_view` gives it.
    """
    sample, notified = read_watch(ledger)
    return find_problems(gather_facts(ledger, queue, running, sample=sample, active=told_of(notified)))


def gather_facts(
    ledger: Ledger,
    queue: Mapping[str, Any],
    running: Sequence[Process],
    *,
    sample: Mapping[str, Any],
    active: frozenset[str],
) -> Facts:
    """Everything that is known of now.

    Args:
        sample: what the watch saw last; see `bridge.reports.traffic`.
        active: names of the problems that were notified.
    """
    server = server_health(ledger)
    late_s, late_says = synthetic_lateness(read_synthetic(ledger), ledger.now_ms() / 1000)
    refused, cause = refused_in_a_row(sample)
    late, oldest_s = late_live_calls(ledger, after_s=LATE_AFTER_S)
    # What processes say of files is of the deployment's own, or names any account: nobody else's business.
    say = running if not ledger.account else ()
    return Facts(
        running=commands_of(running),
        closed=closed_of(queue["connections"]),
        budget_closed_s={TITLES.get(name, name): s for name, s in budgets_closed(sample).items()},
        live_late=late,
        live_late_s=oldest_s,
        parked=queue["parked"],
        calls_missing=queue["calls_missing"] or 0,
        server=RedisFacts(not_durable=server.not_durable, used=server.used),
        disks=disks_of(running),
        storage_failing=storage_failing(ledger),
        search_refused=search_refused(ledger),
        klass_refused=klass_refused(ledger),
        add_on_missing=add_on_missing(ledger),
        rules_wrong=next((one.rules_wrong for one in say if one.rules_wrong), ""),
        rules_versions=rules_versions(say),
        secrets_wrong=next(filter(None, (one.wrong_files.secrets for one in say)), ""),
        accounts_wrong=next(filter(None, (one.wrong_files.accounts for one in say)), ""),
        key_missing=ledger.texts.missing_key(),
        refused=refused,
        refused_cause=cause,
        silent_s=sample.get("silent_s") if sample.get("silent_after_s") else None,
        silent_after_s=sample.get("silent_after_s") or 0.0,
        unannounced=is_unannounced(sample, unannounced_at(ledger)),
        synthetic_late_s=late_s,
        synthetic_says=late_says,
        active=active,
    )


def told_of(notified: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Names of the problems that were notified and are not over."""
    return frozenset(
        name
        for name, entry in notified.items()
        if entry.get("told") is not None and entry.get("ended") is None
    )


def closed_of(connections: Mapping[str, Mapping[str, Any]]) -> tuple[Closed, ...]:
    """Of the connections, as `queue_view` gives them, those that are down."""
    return tuple(
        Closed(
            scope=scope,
            title=paused_as(scope),
            state=found["state"],
            why=closed_as(scope, found["state"])
            or f"the Membrane connection of {TITLES.get(scope, scope)} is down",
            do=found["text"],
            jobs_waiting=found["jobs_waiting"],
        )
        for scope, found in connections.items()
        if found["state"] != "READY"
    )


def rules_versions(running: Sequence[Process]) -> dict[str, tuple[str, ...]]:
    """Version of the rules -> kinds of the processes that work by it."""
    found: dict[str, dict[str, None]] = {}
    for one in running:
        if one.rules:
            found.setdefault(one.rules, {})[one.kind] = None
    return {version: tuple(kinds) for version, kinds in found.items()}


def disks_of(running: Sequence[Process]) -> tuple[Disk, ...]:
    """The fullest disk of each host."""
    fullest: dict[str, Disk] = {}
    for one in running:
        if one.disk is None:
            continue
        disk = Disk(host=one.host, free=one.disk[0], total=one.disk[1])
        before = fullest.get(one.host)
        if before is None or disk.free / max(1, disk.total) < before.free / max(1, before.total):
            fullest[one.host] = disk
    return tuple(fullest.values())
