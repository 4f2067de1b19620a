"""The numbers for Prometheus, health, and the page for people."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress

import prometheus_client
import pytest
import redis
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from bridge import __version__
from bridge.errors import RateLimited
from bridge.ledger import keys
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.calls.comparison import keep_calls_missing
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.metrics.accounts import FAMILIES as ACCOUNTS
from bridge.metrics.families import ALL, LEDGER_UP, SHARED
from tests.waiting import eventually
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, UUID, Site, is_ready

KEY = f"uuid:{UUID}"
Labels = dict[str, str]


def measured(site: Site) -> Callable[..., float | None]:
    """`value(name, label=...)` of one scrape."""
    answer = site.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [s for family in text_string_to_metric_families(answer.text) for s in family.samples]

    def value(name: str, **labels: str) -> float | None:
        return next((s.value for s in samples if (s.name, s.labels) == (f"callbridge_{name}", labels)), None)

    return value


def test_webhooks_are_counted_by_trigger_and_answer(site: Site) -> None:
    for body in (ENDED, ENDED, {}):
        site.post(body)
    site.post({}, "made-up-trigger")
    site.post({}, headers={})
    site.post(b"", "made-up-trigger")

    value = measured(site)

    assert value("webhooks_total", trigger="call-ended", answer="accepted") == 1
    assert value("webhooks_total", trigger="call-ended", answer="duplicate") == 1
    assert value("webhooks_total", trigger="call-ended", answer="held") == 1
    assert value("webhooks_total", trigger="other", answer="held") == 1
    assert value("refused_total", trigger="call-ended", cause="no-token") == 1
    assert value("refused_total", trigger="other", cause="not-json") == 1
    assert value("held") == 2
    assert value("ledger_up") == 1


def test_jobs_budgets_and_requests_are_told(site: Site, ledger: Ledger, store: redis.Redis) -> None:
    site.post(ENDED)
    site.post({**ENDED, "call_uuid": None, "call_id": "5"})
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    ledger.park(claim, cause="Rejected", error="no")
    budget = Budget(store, service="cloudtalk", share=50)
    budget.replied(budget.take(), operation="detail", status="200")
    ledger.count("job:sync:done")
    ledger.count("calls:recovered")

    value = measured(site)

    assert value("jobs", lane="live", state="due") == 1
    assert value("jobs", lane="backfill", state="running") == 0
    assert value("oldest_due_seconds", lane="live") is not None
    assert value("parked", kind="sync", cause="Rejected") == 1
    assert value("budget_left", service="cloudtalk") == 49
    assert value("budget_left", service="kustomer") == 900
    assert value("budget_waiting", service="cloudtalk", lane="live") == 0
    assert value("budget_drain_seconds", service="cloudtalk", lane="backfill") == 0
    assert value("upstream_requests_total", service="cloudtalk", operation="detail", status="200") == 1
    assert value("job_runs_total", kind="sync", end="done") == 1
    assert value("calls_recovered_total") == 1


def test_every_family_is_there_from_the_start_at_zero(site: Site) -> None:
    text = site.get("/metrics").text

    found = {family.name: family for family in text_string_to_metric_families(text)}
    for family in ALL:
        samples = found[family.name if family.kind != "info" else family.sample_name].samples
        assert samples, family.name
        if not family.name.startswith(_NOT_ZERO):
            assert {sample.value for sample in samples} == {0.0}, family.name
    assert found["process_resident_memory_bytes"].samples and found["python_info"].samples


# What is there, and not what has happened.
_NOT_ZERO = tuple(
    f"callbridge_{name}"
    for name in (
        "ledger_up", "storage_up", "connection_up", "build", "processes", "threads", "budget_left",
        "budget_limit", "http_", "disk_", "redis_",
    )
)  # fmt: skip


def test_numbers_of_all_processes_say_so(site: Site) -> None:
    """A family is the process's own unless its name or its help says otherwise; so `sum()` can be right."""
    shared = {
        family.name
        for family in (LEDGER_UP, *SHARED, *ACCOUNTS)
        if family.name != "callbridge_account_webhooks"
    }

    found = text_string_to_metric_families(site.get("/metrics").text)

    for family in found:
        is_global = family.name.startswith("callbridge_ledger_") or family.documentation.startswith("Global:")
        assert is_global is (family.name in shared), family.name


def test_openmetrics_is_given_to_who_asks_for_it(site: Site) -> None:
    site.post(ENDED)

    answer = site.get("/metrics", Accept="application/openmetrics-text; version=1.0.0, text/plain;q=0.5")

    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    found = {family.name: family for family in read_openmetrics(answer.text)}  # type: ignore[no-untyped-call]
    assert {sample.labels["version"] for sample in found["callbridge_build"].samples} == {__version__}
    assert found["callbridge_webhooks"].type == "counter"


def test_each_answer_to_a_webhook_is_timed(site: Site) -> None:
    for body in (ENDED, ENDED, {}):
        site.post(body)
    site.post(ENDED, headers={})
    site.post(b"[", "made-up")
    site.post({"event": "call_ended", "call_id": "7"}, trigger="")

    value = measured(site)

    def answered(trigger: str, answer: str) -> float | None:
        return value("webhook_duration_seconds_count", trigger=trigger, answer=answer)

    assert answered("call-ended", "accepted") == 2
    assert answered("call-ended", "duplicate") == 1
    assert answered("call-ended", "held") == 1
    assert answered("call-ended", "refused") == 1
    assert answered("other", "refused") == 1
    assert answered("call-answered", "accepted") == 0
    spent = value("webhook_duration_seconds_sum", trigger="call-ended", answer="accepted")
    assert spent is not None and 0 < spent < 10
    assert value("duplicates_total", trigger="call-ended") == 1


@pytest.mark.slow
def test_the_last_webhook_is_told_at_once_by_its_process_and_soon_by_the_others(
    serve: Callable[..., Site], store: redis.Redis
) -> None:
    one, other = serve(), serve()
    before = time.time()

    one.post({}, headers={})
    assert measured(one)("last_webhook_timestamp_seconds") == 0
    one.post(ENDED)

    assert before <= (measured(one)("last_webhook_timestamp_seconds") or 0) <= time.time()
    eventually(
        lambda: (measured(other)("last_webhook_timestamp_seconds") or 0) >= before,
        "the other process tells it too",
    )


def test_jobs_and_parked_ones_are_told_by_kind(site: Site, ledger: Ledger) -> None:
    ledger.schedule("recording", "id:1", in_ms=0, lane=Lane.RECORDING)
    ledger.schedule("recording", "id:2", in_ms=60_000, lane=Lane.RECORDING)
    site.post(ENDED)
    ledger.dispatch(8)
    claim = ledger.claim("recording", "id:1")
    assert claim is not None

    value = measured(site)

    def jobs(lane: str, kind: str, state: str) -> float | None:
        return value("jobs_by_kind", lane=lane, kind=kind, state=state)

    assert jobs("recording", "recording", "running") == 1
    assert jobs("recording", "recording", "waiting") == 1
    assert jobs("recording", "recording", "due") == 0
    # On its way to a worker.
    assert jobs("live", "sync", "due") == 1
    assert jobs("live", "sync", "waiting") == 0


def test_a_long_queue_is_told_by_lane_and_costs_no_more(
    site: Site, ledger: Ledger, store: redis.Redis
) -> None:
    many = {f"sync|id:{number}": 1.0 for number in range(5000)}
    store.zadd(keys.QUEUE_KEYS[Lane.BACKFILL - 1], many)
    store.zadd(keys.PARKED, many)

    value = measured(site)

    assert value("jobs", lane="backfill", state="due") == 5000
    assert value("jobs_by_kind", lane="backfill", kind="sync", state="due") == 2000
    # What is not looked at is told all the same, so that a sum is right.
    assert value("parked", kind="sync", cause="unknown") == 2000
    assert value("parked", kind="other", cause="other") == 3000


def test_missing_calls_are_told_with_the_time_of_the_comparison(site: Site, ledger: Ledger) -> None:
    assert measured(site)("calls_missing") == 0
    assert measured(site)("last_reconcile_timestamp_seconds") == 0

    keep_calls_missing(ledger, 3)
    ledger.keep_facts(last_reconcile_at=1_800_000_000.0)

    assert measured(site)("calls_missing") == 3
    assert measured(site)("last_reconcile_timestamp_seconds") == 1_800_000_000


def test_redis_is_told_of_unless_its_user_may_not_ask(site: Site, store: redis.Redis) -> None:
    value = measured(site)

    assert (value("redis_memory_bytes") or 0) > 100_000
    assert value("redis_aof_enabled") == 0
    assert value("redis_last_save_ok") == 1
    assert (value("redis_last_save_timestamp_seconds") or 0) > 1_700_000_000


def test_without_redis_the_numbers_say_that_and_nothing_else(
    serve: Callable[..., Site], own_redis: RedisServer, redis_server: RedisServer
) -> None:
    away, frozen = serve(redis_url=own_redis.url), serve()

    with redis_server.frozen():
        answers = [away.get("/metrics"), frozen.get("/metrics")]

    for answer in answers:
        # The process's own numbers need no Redis.
        shared = [name for family in SHARED for name in family.names]
        lines = answer.text.splitlines()
        assert answer.status == 200 and "callbridge_ledger_up 0.0" in lines
        assert not [line for line in lines if line.startswith(tuple(shared))]
        assert 'callbridge_http_cut_total{cause="bad-request"} 0.0' in answer.text
        assert answer.took_s < 2
    assert measured(frozen)("ledger_up") == 1


def test_the_process_wide_registry_stays_as_it_was(site: Site) -> None:
    site.get("/metrics")

    assert b"callbridge" not in prometheus_client.generate_latest()


def test_health_is_told_to_all(serve: Callable[..., Site], store: redis.Redis) -> None:
    site = serve(ops_token="ops-token")

    assert site.get("/healthz").json == {"status": "ok"}
    assert is_ready(site)
    assert site.get("/readyz", Via="proxy").status == 200


def test_a_redis_that_cannot_be_written_is_not_ready(site: Site, store: redis.Redis) -> None:
    store.config_set("maxmemory", 1)
    try:
        answer = site.get("/readyz")
    finally:
        store.config_set("maxmemory", 0)

    assert answer.status == 503
    assert answer.json == {"status": "unready", "reason": "Redis is out of memory (OOM)"}
    assert site.get("/readyz").status == 200


def test_the_page_shows_the_queue_and_the_last_calls_and_nobodys_number(site: Site) -> None:
    site.post({**ENDED, "direction": "incoming"})
    site.post({"call_id": "5", "external_number": "+15550100107"})

    page = site.get("/")

    assert page.status == 200
    assert "…304" in page.text and f'href="/calls/{KEY}"' in page.text
    assert "960304" not in page.text and "0100107" not in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert set(re.findall("<script[^>]*>", page.text)) == set(
        re.findall('<script src="/static/[^>]*" defer>', page.text)
    )
    assert "http" not in page.text and "style=" not in page.text


def test_the_page_shows_what_is_left_of_the_budgets_and_when_those_who_wait_are_through(
    site: Site, ledger: Ledger
) -> None:
    budget = Budget(ledger.redis, service="cloudtalk", share=50)
    for number in range(60):
        ledger.schedule("detail", f"id:{number}", in_ms=600_000, lane=Lane.BACKFILL)
        with (
            acting_as(BudgetRequester(lane=Lane.BACKFILL, name=f"detail|id:{number}")),
            suppress(RateLimited),
        ):
            budget.take()
    ledger.redis.hset(keys.META, "calls_missing", 3)

    page = " ".join(site.get("/").text.split())

    result = re.search(r">(\d+) jobs waiting, done in about \d+ (s|min)<", page)
    assert result is not None and int(result[1]) >= 10
    assert re.search(r">\d+ of 50 requests left in 60 s<", page)
    assert "<dt>missing</dt><dd>3 " in page


def test_what_the_page_shows_is_escaped(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    ledger.park(claim, cause="x", error="<b>bold</b> \u202efdp.exe\u2066")

    page = site.get("/").text

    assert "<b>" not in page
    assert "&lt;b&gt;bold" in page
    assert "\u202e" not in page and "\u2066" not in page
    assert "\\u202efdp.exe" in page
