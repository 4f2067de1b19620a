"""The numbers of two web processes and three workers, real ones, added up as Prometheus would."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.chaos.house import free_port
from tests.processes import started
from tests.support import ended
from tests.waiting import eventually

pytestmark = pytest.mark.slow

CALLS = 24
TOKEN = "made-up-token-for-tests"


class House:
    """Web processes and workers on one Redis, with the sandbox's services."""

    def __init__(self, folder: Path, sandbox: RunningSandbox, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        redis = EmbeddedRedis(folder / "redis", appendfsync="everysec")
        redis.start()
        stack.callback(redis.stop)
        self.environ = {
            **os.environ,
            **sandbox.environ(),
            "REDIS_URL": redis.url,
            "WEBHOOK_TOKENS": TOKEN,
            "METRICS_PUBLIC": "true",
            "DATA_DIR": str(folder / "data"),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "WARNING",
        }
        self.sites: list[str] = []

    def start(self, kind: str) -> None:
        port = str(free_port())
        log = self._stack.enter_context((self._folder / f"{kind}-{port}.log").open("wb"))
        self._stack.enter_context(
            started(
                [sys.executable, "-m", "bridge", kind],
                env={**self.environ, "PORT": port},
                stdout=log,
                stderr=log,
            )
        )
        if kind == "web":
            self.sites.append(f"http://127.0.0.1:{port}")

    def post(self, site: str, body: dict[str, object]) -> int:
        request = urllib.request.Request(
            f"{site}/webhooks/cloudtalk/call-ended",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)

    def scrape(self, site: str) -> dict[str, float]:
        """The sum of each kind of sample, over its labels."""
        with urllib.request.urlopen(f"{site}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if not sample.name.endswith("_bucket"):
                    sums[sample.name] = sums.get(sample.name, 0) + sample.value
                if sample.name == "callbridge_processes":
                    sums[f"processes of {sample.labels['kind']}"] = sample.value
        return sums

    def is_ready(self, site: str) -> bool:
        with contextlib.suppress(OSError):
            return self.scrape(site)["callbridge_ledger_up"] == 1
        return False


@pytest.fixture
def house(tmp_path: Path, sandbox: RunningSandbox) -> Iterator[House]:
    with ExitStack() as stack:
        house = House(tmp_path, sandbox, stack)
        for kind in ("web", "web", "worker", "worker", "worker"):
            house.start(kind)
        for site in house.sites:
            eventually(partial(house.is_ready, site), "it answers", within_s=40)
        yield house


def test_sums_over_two_web_processes_and_three_workers_are_right(
    house: House, sandbox: RunningSandbox
) -> None:
    eventually(
        lambda: house.scrape(house.sites[0])["processes of worker"] == 3, "three workers run", within_s=40
    )
    for number in range(CALLS):
        uuid = f"11111111-2222-4333-8444-{number:012}"
        body = ended(call_id=1000000500 + number, uuid=uuid, external_number=f"+4416329603{number:02}")
        # Each comes twice, at different processes.
        assert [house.post(site, body) for site in house.sites] == [202, 200]

    def all_written() -> bool:
        return house.scrape(house.sites[0])["callbridge_call_end_to_note_seconds_count"] >= CALLS

    eventually(all_written, "all notes are written", within_s=40)
    eventually(lambda: house.scrape(house.sites[0])["callbridge_threads_busy"] == 0, "all is done")

    one, other = (house.scrape(site) for site in house.sites)
    # A process's own: to be added up.
    for found in (one, other):
        assert found["callbridge_webhook_duration_seconds_count"] == CALLS
        assert found["process_resident_memory_bytes"] > 10_000_000
    # Global: the same whichever is asked, and true.
    for found in (one, other):
        assert found["callbridge_webhooks_total"] == 2 * CALLS
        assert found["callbridge_duplicates_total"] == CALLS
        assert found["callbridge_call_end_to_note_seconds_count"] == CALLS
        assert found["callbridge_customers_total"] == CALLS
        assert found["callbridge_job_runs_total"] == found["callbridge_job_wait_seconds_count"]
        requests = found["callbridge_upstream_requests_total"]
        assert requests == found["callbridge_upstream_request_duration_seconds_count"]
        assert requests == len(sandbox.kustomer.requests) + len(sandbox.cloudtalk.requests)
        assert (found["processes of web"], found["processes of worker"]) == (2, 3)
