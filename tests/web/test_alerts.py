"""Each alert fires while its fault is there and clears after it: promtool, on numbers of a real process.

A fault is made in Redis or at the web process, as it would be by what breaks. `/metrics` is read before,
during and after it. Each of these readings is then taken to last for hours, counters growing from one to the
next, and all rules are evaluated over them. So a fault must also fire nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from bridge.errors import Disconnected
from bridge.ledger import keys
from bridge.ledger.calls.comparison import keep_calls_missing
from bridge.ledger.health import storage_failed, storage_works
from bridge.ledger.ledger import Ledger
from bridge.ledger.measures import fields_of
from bridge.ledger.processes import KINDS
from bridge.ledger.queue.connections import Connections
from bridge.metrics.families import ALL, BY_NAME
from tests.test_documents import anchors_of
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, UUID, Site

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "monitoring"
RULES = FOLDER / "callbridge.rules.yml"
ALERTS = re.findall(r"(?m)^\s+- alert: (\w+)$", RULES.read_text())
# Of each reading, in minutes: the night, morning and afternoon of a Thursday in 1970, by promtool's clock.
WELL, FAULT, AFTER = (0, 8 * 60), (8 * 60, 12 * 60), (12 * 60, 16 * 60)
STEP = 5
Reading = dict[tuple[str, str], float]


@pytest.mark.parametrize("alert", re.findall(r"(?m)^\s+runbook_url: (\S+)$", RULES.read_text()))
def test_each_runbook_link_leads_to_a_heading(alert: str) -> None:
    file, _, heading = alert.partition("#")

    assert heading in anchors_of(ROOT / file)


@pytest.mark.parametrize("file", [RULES, FOLDER / "grafana-dashboard.json"], ids=lambda file: file.name)
def test_every_metric_of_rules_and_dashboard_is_in_the_list(file: Path) -> None:
    known = {name for family in ALL for name in family.names}

    named = set(re.findall(r"\bcallbridge_[a-z_]+", file.read_text()))

    assert named and named <= known


def test_the_dashboard_asks_only_the_chosen_job_and_its_panels_do_not_overlap() -> None:
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text())

    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not taken & cells and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
        for target in panel.get("targets", ()):
            names = re.findall(r"\b(?:callbridge|process)_[a-z_]+", target["expr"])
            assert names and target["expr"].count('{job="$job"') == len(names), target["expr"]


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a fault is made with."""

    site: Site
    ledger: Ledger
    store: redis.Redis
    redis_server: RedisServer


def _parked(desk: Desk) -> Iterator[None]:
    desk.ledger.schedule("sync", f"uuid:{UUID}", in_ms=0)
    desk.ledger.dispatch(1)
    claim = desk.ledger.claim("sync", f"uuid:{UUID}")
    assert claim is not None
    desk.ledger.park(claim, cause="Rejected", error="no")
    yield
    desk.store.zrem(keys.PARKED, claim.name)


def _paused(desk: Desk) -> Iterator[None]:
    connections = Connections(desk.ledger, check_every_s=10, through={})
    connections.mark_down("kustomer", Disconnected("its key was revoked", connection="", service="kustomer"))
    yield
    connections.mark_up("kustomer")


def _missing(desk: Desk) -> Iterator[None]:
    keep_calls_missing(desk.ledger, 3)
    yield
    keep_calls_missing(desk.ledger, 0)


def _late(desk: Desk) -> Iterator[None]:
    desk.ledger.schedule("sync", "id:5", in_ms=0)
    desk.store.zincrby(keys.QUEUE_KEYS[0], -90_000, "sync|id:5")
    yield
    desk.ledger.cancel("sync", "id:5")


def _slow_notes(desk: Desk) -> Iterator[None]:
    for seconds in [20.0] * 40 + [300.0] * 10:
        bucket, total, ms = fields_of("end_to_note", seconds)
        desk.store.hincrby(keys.MEASURES, bucket, 1)
        desk.store.hincrby(keys.MEASURES, total, ms)
    yield


def _refused(desk: Desk) -> Iterator[None]:
    for _ in range(200):
        assert desk.site.post(ENDED, headers={}).status == 401
    yield


def _rate_limited(desk: Desk) -> Iterator[None]:
    desk.store.hincrby(keys.COUNTS, "upstream:cloudtalk:call_detail:429", 400)
    yield


def _frozen_redis(desk: Desk) -> Iterator[None]:
    with desk.redis_server.frozen():
        yield


def _nearly_full(desk: Desk) -> Iterator[None]:
    used = int(desk.store.info("memory")["used_memory"])
    desk.store.config_set("maxmemory", int(used * 1.1))
    yield
    desk.store.config_set("maxmemory", 0)


def _not_durable(desk: Desk) -> Iterator[None]:
    desk.store.config_set("appendonly", "no")
    yield
    desk.store.config_set("appendonly", "yes")


def _cannot_store(desk: Desk) -> Iterator[None]:
    storage_failed(desk.ledger, "the disk is full")
    yield
    storage_works(desk.ledger)


def _nothing(desk: Desk) -> Iterator[None]:
    yield


Change = Callable[[Reading], Reading]


def _only(name: str, labels: str, value: float) -> Change:
    """What a process that is not there, or a disk, makes of a reading."""
    return lambda reading: {**reading, (name, labels): value}


FAULTS: Mapping[str, tuple[Callable[[Desk], Iterator[None]], Change | None, set[str]]] = {
    # What fires because of something else that is broken with it is named too.
    "no fault": (_nothing, None, set()),
    "web is down": (_nothing, _only("up", '{job="callbridge"}', 0), {"CallbridgeWebDown"}),
    "no worker": (
        _nothing, _only("callbridge_processes", '{kind="worker"}', 0), {"CallbridgeNoWorker"},
    ),
    "no clock": (_nothing, _only("callbridge_processes", '{kind="clock"}', 0), {"CallbridgeNoClock"}),
    "redis is frozen": (_frozen_redis, None, {"CallbridgeRedisUnavailable"}),
    "a job is parked": (_parked, None, {"CallbridgeJobsParked"}),
    "a key is revoked": (_paused, None, {"CallbridgeServicePaused"}),
    "calls are missing": (_missing, None, {"CallbridgeCallsMissing"}),
    "a live call waits": (_late, None, {"CallbridgeLiveCallsLate"}),
    "notes are slow": (_slow_notes, None, {"CallbridgeNotesSlow"}),
    "webhooks are refused": (_refused, None, {"CallbridgeWebhooksRefused"}),
    "too many requests": (_rate_limited, None, {"CallbridgeRateLimited"}),
    "redis is nearly full": (_nearly_full, None, {"CallbridgeRedisNearlyFull"}),
    "redis keeps no file": (_not_durable, None, {"CallbridgeRedisNotDurable"}),
    "recordings cannot be stored": (_cannot_store, None, {"CallbridgeRecordingsNotStored"}),
    "a disk is full": (
        _nothing, _only("callbridge_disk_free_bytes", "", 1_000_000), {"CallbridgeDiskNearlyFull"},
    ),
    "a journal file is stuck": (
        _nothing, _only("callbridge_journal_stuck", "", 1), {"CallbridgeJournalNotEmpty"},
    ),
    "no webhook comes": (_nothing, None, {"CallbridgeNoWebhooks"}),
    "nobody compares": (_nothing, None, {"CallbridgeComparisonLate"}),
    "the synthetic call is lost": (_nothing, None, {"CallbridgeSyntheticCallLate"}),
}  # fmt: skip
# What stands still during a fault; else these times go on.
STANDING = {
    "no webhook comes": "callbridge_last_webhook_timestamp_seconds",
    "the synthetic call is lost": "callbridge_last_synthetic_call_timestamp_seconds",
    "nobody compares": "callbridge_last_reconcile_timestamp_seconds",
}


def test_every_alert_has_a_fault() -> None:
    assert set().union(*(alerts for _, _, alerts in FAULTS.values())) == set(ALERTS)


@pytest.mark.slow
def test_each_alert_fires_with_its_fault_and_clears_after_it(
    site: Site, ledger: Ledger, store: redis.Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    desk = Desk(site=site, ledger=ledger, store=store, redis_server=redis_server)
    store.config_set("appendonly", "yes")
    try:
        tests = [_recorded(name, desk) for name in FAULTS]
    finally:
        store.config_set("appendonly", "no")
    file = tmp_path / "recorded.yml"
    document = {"rule_files": [str(RULES)], "evaluation_interval": f"{STEP}m", "tests": tests}
    # JSON is YAML.
    file.write_text(json.dumps(document, indent=1))

    done = subprocess.run([promtool(), "test", "rules", file], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        assert not os.environ.get("CI"), "CI must have promtool"
        pytest.skip("promtool is not here (Debian: in the package prometheus)")
    return found


def _recorded(name: str, desk: Desk) -> dict[str, Any]:
    """One test of promtool, of readings taken now."""
    make, change, alerts = FAULTS[name]
    # As on a day on which all is well.
    desk.store.delete(keys.PROCESSES)
    heartbeat(desk)
    desk.ledger.keep_facts(last_reconcile_at=time.time())
    before = read(desk.site)
    fault = make(desk)
    next(fault)
    during = read(desk.site)
    for _ in fault:
        pass
    after = read(desk.site)
    if change is not None:
        during = change(during)
    return {
        "name": name,
        "interval": f"{STEP}m",
        "input_series": [
            {"series": f"{metric}{labels}", "values": values(metric, labels, [before, during, after], name)}
            for metric, labels in sorted({*before, *during, *after})
            # Of the many that stay at 0, those with labels decide nothing.
            if not labels or any(reading.get((metric, labels)) for reading in (before, during, after))
        ],
        "promql_expr_test": [
            _firing(WELL, set()),
            _firing(FAULT, alerts),
            _firing(AFTER, set()),
        ],
    }


def heartbeat(desk: Desk) -> None:
    """As one process of each kind would, that does nothing else."""
    for kind in KINDS:
        result = {
            "kind": kind,
            "host": "here",
            "pid": 1,
            "command": 1,
            "version": "1",
            "busy": 0,
            "threads": 1,
        }
        text = json.dumps({**result, "started_at": "2026-03-02T09:00:00.000+00:00"})
        desk.store.hset(keys.PROCESSES, kind, f"{desk.ledger.now_ms()} {text}")


def _firing(phase: tuple[int, int], alerts: set[str]) -> dict[str, Any]:
    return {
        "eval_time": f"{phase[1] - STEP}m",
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(alerts)],
    }


def read(site: Site) -> Reading:
    """A scrape, of what the rules read."""
    wanted = set(re.findall(r"\bcallbridge_[a-z_]+", RULES.read_text()))
    found: Reading = {("up", '{job="callbridge"}'): 1}
    for family in text_string_to_metric_families(site.get("/metrics").text):
        for sample in family.samples:
            if sample.name in wanted:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                found[sample.name, f"{{{labels}}}" if labels else ""] = sample.value
    return found


def values(metric: str, labels: str, readings: list[Reading], fault: str) -> str:
    """promtool's notation: a start, what is added with each step, how often."""
    parts, last = [], readings[0].get((metric, labels), 0.0)
    for (begin, end), reading in zip((WELL, FAULT, AFTER), readings, strict=True):
        value, steps = reading.get((metric, labels)), (end - begin) // STEP
        if value is None:
            parts.append(f"_x{steps}")
            continue
        if metric.endswith("_timestamp_seconds"):
            stands = begin == FAULT[0] and STANDING.get(fault) == metric
            parts.append(f"{begin * 60 + 1}+{0 if stands else STEP * 60}x{steps - 1}")
        elif BY_NAME.get(metric.removesuffix("_total").removesuffix("_bucket")) and metric.endswith(
            ("_total", "_bucket")
        ):
            parts.append(f"{last}+{(value - last) / steps}x{steps - 1}")
            last = value
        else:
            parts.append(f"{value}+0x{steps - 1}")
    return " ".join(parts)
