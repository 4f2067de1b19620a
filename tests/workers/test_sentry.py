"""Sentry's integration for dramatiq, as it is: it sees the jobs, and reports errors but no waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.dramatiq import DramatiqIntegration
from sentry_sdk.transport import Transport

from bridge.deps import Deps, JobResult
from bridge.errors import Busy, Disconnected, NotThereYet, RateLimited, Rejected, Unavailable
from bridge.ledger.queue.claims import Claim
from tests.sentry import end
from tests.support import Bridge, Runner

KEY = "uuid:11111111-2222-4333-8444-555555555500"


class Kept(Transport):
    """What would be sent to Sentry."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[Any] = []
        self.transactions: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        for item in envelope.items:
            self.errors += [item.get_event()] if item.get_event() else []
            self.transactions += [item.get_transaction_event()] if item.get_transaction_event() else []


@pytest.fixture
def sentry() -> Iterator[Kept]:
    kept = Kept()
    sentry_sdk.init(
        dsn="https://key@sentry.invalid/1",
        transport=kept,
        traces_sample_rate=1.0,
        default_integrations=False,
        integrations=[DramatiqIntegration()],
    )
    yield kept
    end()


def run_one(bridge: Bridge, error: Exception | None) -> str:
    def job(claim: Claim, deps: Deps) -> JobResult:
        if error is not None:
            raise error
        return JobResult()

    runner = Runner(bridge.deps, bridge.leases, {"sync": job})
    bridge.ledger.schedule("sync", KEY, in_ms=0)
    return runner.run("sync", KEY)


@pytest.mark.parametrize(
    "error", [Rejected("no such tag"), Unavailable("no answer"), ZeroDivisionError("of our own making")]
)
def test_an_error_is_reported_with_the_job_that_met_it(
    bridge: Bridge, sentry: Kept, error: Exception
) -> None:
    run_one(bridge, error)

    (event,) = sentry.errors
    found = event["exception"]["values"][-1]
    assert (found["type"], found["value"]) == (type(error).__name__, str(error))
    assert event["contexts"]["dramatiq"]["data"]["actor_name"] == "sync"
    assert event["contexts"]["dramatiq"]["data"]["args"] == [KEY]
    assert [one["transaction"] for one in sentry.transactions] == ["sync"]


@pytest.mark.parametrize(
    "error",
    [
        None,
        RateLimited("the share is spent", retry_after_s=5),
        Busy("another call of this customer is being written", retry_after_s=1),
        Disconnected("it is down", connection="c", service="kustomer"),
        NotThereYet("no recording yet"),
    ],
)
def test_a_wait_is_no_error(bridge: Bridge, sentry: Kept, error: Exception | None) -> None:
    run_one(bridge, error)

    assert sentry.errors == []
    assert [one["transaction"] for one in sentry.transactions] == ["sync"]


def test_a_job_that_is_not_due_is_no_error(bridge: Bridge, sentry: Kept) -> None:
    assert Runner(bridge.deps, bridge.leases).run("sync", KEY) == "gone"

    assert sentry.errors == []
