"""The synthetic call: the whole way to Kustomer, taken away again, and in no statistics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from bridge.clients.bounds import Client
from bridge.domain.synthetic import NAME, is_synthetic
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.jobs.synthetic import SyntheticCall
from bridge.ledger import keys
from bridge.ledger.calls.received import received
from bridge.ledger.synthetic import keep_synthetic, read_synthetic
from bridge.metrics.shared import read_shared
from bridge.reconcile.audit import Audit
from bridge.reconcile.compare import Span
from bridge.reports.synthetic import synthetic_age_s, synthetic_lateness
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from bridge.wiring import open_budgets
from tests.support import Bridge, ended
from tests.web.serving import SIGNING_SECRET, TOKEN, Site, serving

NUMBER = "+15550100199"


@pytest.fixture
def site(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> Iterator[Site]:
    environ = {
        "REDIS_URL": redis_url,
        "WEBHOOK_TOKENS": TOKEN,
        "WEBHOOK_SIGNING_SECRETS": SIGNING_SECRET,
        "DATA_DIR": str(tmp_path),
    }
    with serving(Settings.from_env(environ, dotenv=None)) as running:
        yield running


@pytest.fixture
def synthetic(bridge: Bridge, site: Site) -> Iterator[SyntheticCall]:
    with Client() as client:
        yield SyntheticCall(
            deps=bridge.deps,
            every_s=300,
            number=NUMBER,
            late_after_s=60,
            web_url=f"http://127.0.0.1:{site.port}",
            tokens=[SecretStr(TOKEN)],
            signing_secrets=[],
            client=client,
        )


def state(bridge: Bridge) -> dict[str, Any]:
    return read_synthetic(bridge.ledger)


def lateness(bridge: Bridge, *, in_s: float = 0) -> tuple[float, str]:
    return synthetic_lateness(state(bridge), bridge.ledger.now_ms() / 1000 + in_s)


def whole_way(bridge: Bridge, synthetic: SyntheticCall) -> None:
    synthetic.step()
    bridge.run_jobs()
    for _ in range(3):
        synthetic.step()


def synthetic_in(sandbox: RunningSandbox) -> list[Mapping[str, Any]]:
    return [
        one
        for one in sandbox.kustomer.conversations
        if is_synthetic(str(one["attributes"].get("externalId", "")).removeprefix("cloudtalk:call:"))
    ]


def test_it_goes_the_whole_way_and_is_taken_away_again(
    bridge: Bridge, sandbox: RunningSandbox, synthetic: SyntheticCall
) -> None:
    test_customer = sandbox.kustomer.add_customer(name="Test Customer", phones=[{"phone": NUMBER}])
    synthetic.step()
    key = f"uuid:{state(bridge)['call']['uuid']}"
    bridge.run_jobs()
    assert "note" in bridge.record(key).outputs
    assert bridge.record(key).outputs["customer"].id == test_customer

    for _ in range(3):
        synthetic.step()

    assert bridge.ledger.find(key) is None and bridge.ledger.job_states(key) == []
    (conversation,) = synthetic_in(sandbox)
    assert conversation["attributes"]["deleted"] is True
    assert conversation["attributes"]["status"] == "done"
    assert conversation["attributes"]["name"] == f"{NAME} (removed)"
    (note,) = sandbox.kustomer.notes
    assert note["attributes"]["body"] == f"{NAME} (removed)"
    assert state(bridge)["call"] is None and state(bridge)["duration_s"] >= 0
    assert lateness(bridge) == (0.0, "")
    age_s = synthetic_age_s(state(bridge), bridge.ledger.now_ms() / 1000)
    assert age_s is not None and 0 <= age_s < 30
    # CloudTalk does not know it.
    assert sandbox.cloudtalk.requests == []


def test_it_is_in_no_statistics_and_in_no_list(
    bridge: Bridge, sandbox: RunningSandbox, synthetic: SyntheticCall, redis_client: redis.Redis
) -> None:
    settings = Settings.from_env({}, dotenv=None)
    budgets = tuple(open_budgets(settings, bridge.ledger).values())

    whole_way(bridge, synthetic)

    counts = bridge.ledger.counts()
    assert not [name for name in counts if name.startswith(("webhook:", "customer:", "calls:"))], counts
    assert received(bridge.ledger) == []
    assert redis_client.zcard(keys.CALLS) == 0 and redis_client.zcard(keys.FORGOTTEN) == 0
    assert not bridge.ledger.measures()["end_to_note"]
    assert not [name for name in redis_client.scan_iter("*") if "ca11b21d" in str(name)]
    shared = dict(read_shared(bridge.ledger, budgets, bridge.deps.connections))
    assert shared["synthetic_call_duration_seconds"][()] > 0
    assert shared["last_synthetic_call_timestamp_seconds"][()] > 0

    now = datetime.now(UTC) + timedelta(hours=1)
    span = Span(since=now - timedelta(days=1), until=now)
    findings = Audit(bridge.deps, span, BudgetWaiter(pause=lambda _: None)).look(now)
    assert findings.clean and findings.calls == 0
    assert len(synthetic_in(sandbox)) == 1


def test_a_real_call_still_counts(bridge: Bridge, synthetic: SyntheticCall) -> None:
    bridge.receive("call-ended", ended())
    whole_way(bridge, synthetic)

    assert bridge.ledger.counts()["webhook:call-ended:accepted"] == 1
    assert len(received(bridge.ledger, most=5)) == 1


def test_the_next_one_waits_its_turn(bridge: Bridge, synthetic: SyntheticCall) -> None:
    whole_way(bridge, synthetic)
    before = state(bridge)

    synthetic.step()
    assert state(bridge) == before

    keep_synthetic(bridge.ledger, {**before, "next_at": bridge.ledger.now_ms() / 1000 - 1})
    synthetic.step()
    assert state(bridge)["call"] is not None


def test_a_signature_lets_it_in_where_there_is_no_token(bridge: Bridge, synthetic: SyntheticCall) -> None:
    whole_way(bridge, replace(synthetic, tokens=[], signing_secrets=[SecretStr(SIGNING_SECRET)]))

    assert state(bridge)["last_ok_at"] and not state(bridge)["failed"]


def test_a_web_that_refuses_it_is_named_and_it_is_sent_again(
    bridge: Bridge, synthetic: SyntheticCall
) -> None:
    replace(synthetic, tokens=[SecretStr("another-token")]).step()

    assert lateness(bridge) == (0.0, "")
    late_s, says = lateness(bridge, in_s=61)
    assert late_s > 0 and says.startswith("web answered its webhook 401 after 6")

    whole_way(bridge, synthetic)
    assert lateness(bridge) == (0.0, "")


def test_no_web_at_all_is_named(bridge: Bridge, synthetic: SyntheticCall) -> None:
    replace(synthetic, web_url="http://127.0.0.1:1").step()

    assert "web did not answer its webhook" in lateness(bridge, in_s=61)[1]


def test_a_worker_that_does_nothing_makes_it_late(bridge: Bridge, synthetic: SyntheticCall) -> None:
    synthetic.step()
    synthetic.step()

    assert lateness(bridge) == (0.0, "")
    assert "no worker has written it yet" in lateness(bridge, in_s=61)[1]


def test_one_that_is_parked_is_late_until_the_next_one_arrives(
    bridge: Bridge, sandbox: RunningSandbox, synthetic: SyntheticCall
) -> None:
    sandbox.kustomer.fail_next(400, method="POST", path="/conversations$")
    whole_way(bridge, synthetic)

    assert lateness(bridge)[1] == "its job is parked (Rejected)"
    assert bridge.ledger.parked_count() == 0 and state(bridge)["call"] is None

    keep_synthetic(bridge.ledger, {**state(bridge), "next_at": 0})
    whole_way(bridge, synthetic)
    assert lateness(bridge) == (0.0, "")


def test_what_cannot_be_removed_is_tried_again_until_it_is(
    bridge: Bridge, sandbox: RunningSandbox, synthetic: SyntheticCall
) -> None:
    synthetic.step()
    bridge.run_jobs()
    sandbox.kustomer.fail_next(503, times=2)
    for _ in range(2):
        synthetic.step()

    assert "cannot be removed in Kustomer" in lateness(bridge, in_s=61)[1]

    for _ in range(3):
        synthetic.step()
    assert state(bridge)["call"] is None
    assert synthetic_in(sandbox)[0]["attributes"]["deleted"] is True


def test_a_key_that_may_not_mark_it_as_deleted_closes_it(
    bridge: Bridge, sandbox: RunningSandbox, synthetic: SyntheticCall
) -> None:
    synthetic.step()
    bridge.run_jobs()
    synthetic.step()
    sandbox.kustomer.fail_next(403, method="PUT", path="/conversations/")
    sandbox.kustomer.fail_next(403, method="PATCH", path="/conversations/")
    for _ in range(2):
        synthetic.step()

    (conversation,) = synthetic_in(sandbox)
    assert conversation["attributes"]["status"] == "done"
    assert state(bridge)["call"] is None


def test_switched_off_the_one_under_way_is_still_taken_away(
    bridge: Bridge, sandbox: RunningSandbox, synthetic: SyntheticCall
) -> None:
    synthetic.step()
    off = replace(synthetic, every_s=0)
    bridge.run_jobs()
    for _ in range(4):
        off.step()

    assert state(bridge) == {} and lateness(bridge) == (0.0, "")
    assert synthetic_in(sandbox)[0]["attributes"]["deleted"] is True


def test_one_that_no_clock_sends_is_late(bridge: Bridge, synthetic: SyntheticCall) -> None:
    whole_way(bridge, synthetic)

    assert lateness(bridge, in_s=331)[1] == "nobody sends it"


def test_on_without_a_number_is_a_wrong_setting() -> None:
    reading = Settings.read({"SYNTHETIC_CALL_EVERY_S": "300"}, dotenv=None)
    assert [line.split()[0] for line in reading.wrong] == ["SYNTHETIC_CALL_NUMBER"]

    reading = Settings.read({"SYNTHETIC_CALL_NUMBER": "0155 50100199"}, dotenv=None)
    assert "country code" in reading.wrong[0] and "0155" not in json.dumps(reading.wrong)
