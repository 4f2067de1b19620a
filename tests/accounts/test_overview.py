"""How many accounts stand is read in few round trips, and is what each ledger says itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis

from bridge.ledger.connect import connect
from bridge.ledger.facts import LAST_WEBHOOK
from bridge.ledger.keys import META, Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.overview import Overview, keep_last_webhooks, read_overviews

NAMES = ("", "acme", "acme-2")


@pytest.fixture
def ledgers(redis_client: redis.Redis, redis_url: str) -> Iterator[dict[str, Ledger]]:
    found = {name: Ledger(connect(redis_url, account=name)) for name in NAMES if name}
    yield {"": Ledger(redis_client), **found}
    for one in found.values():
        one.close()


def test_each_account_stands_as_its_own_ledger_says(ledgers: dict[str, Ledger]) -> None:
    acme, other = ledgers["acme"], ledgers["acme-2"]
    acme.schedule("sync", "id:1", in_ms=0, lane=Lane.LIVE)
    acme.schedule("recording", "id:1", in_ms=0, lane=Lane.RECORDING)
    acme.schedule("sync", "id:2", in_ms=60_000, lane=Lane.LIVE)
    other.schedule("sync", "id:3", in_ms=0, lane=Lane.LIVE)
    claim = other.claim("sync", "id:3")
    assert claim is not None
    other.park(claim, cause="Rejected", error="the service said no")

    found = read_overviews(ledgers[""], NAMES)

    assert found[""] == Overview()
    assert (found["acme"].due, found["acme"].parked) == (2, 0)
    assert 0 <= found["acme"].oldest_due_s < 60
    assert (found["acme-2"].due, found["acme-2"].parked) == (0, 1)
    assert sum(lane.due for lane in acme.queue().values()) == found["acme"].due
    assert other.parked_count() == found["acme-2"].parked


def test_more_accounts_than_one_call_of_the_script_takes_are_all_read(ledgers: dict[str, Ledger]) -> None:
    names = [f"shop-{number:03}" for number in range(120)]

    found = read_overviews(ledgers[""], [*names, "acme"])

    assert list(found) == [*names, "acme"]


def test_the_time_of_the_last_webhook_is_kept_in_each_ledger_and_does_not_go_back(
    ledgers: dict[str, Ledger],
) -> None:
    keep_last_webhooks(ledgers[""], {"acme": 1_000.5, "": 2_000.0})
    keep_last_webhooks(ledgers[""], {"acme": 999.0})

    found = read_overviews(ledgers[""], NAMES)

    assert found["acme"].last_webhook_at == datetime.fromtimestamp(1_000.5, UTC)
    assert found["acme-2"].last_webhook_at is None
    assert ledgers["acme"].redis.hget(META, LAST_WEBHOOK) == "1000.5"
    assert ledgers["acme"].facts().seen["last_webhook_at"] == 1_000.5
