"""The numbers of two web processes and three workers, real ones, added up as Prometheus would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.sandbox.running import RunningSandbox
from tests.metrics.house import House, running
from tests.support import ended
from tests.waiting import eventually

pytestmark = pytest.mark.slow

CALLS = 24


@pytest.fixture
def house(tmp_path: Path, sandbox: RunningSandbox) -> Iterator[House]:
    with running(tmp_path, sandbox, ("web", "web", "worker", "worker", "worker")) as house:
        yield house


def test_sums_over_two_web_processes_and_three_workers_are_right(
    house: House, sandbox: RunningSandbox
) -> None:
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
