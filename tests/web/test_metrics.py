"""The numbers for Prometheus, health, and the page for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

import prometheus_client
import redis
from prometheus_client.parser import text_string_to_metric_families

from bridge.errors import RateLimited
from bridge.ledger import keys
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
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


def test_missing_calls_are_told_only_once_somebody_has_looked(site: Site, store: redis.Redis) -> None:
    assert measured(site)("calls_missing") is None

    store.hset(keys.META, "calls_missing", 0)

    assert measured(site)("calls_missing") == 0


def test_without_redis_the_numbers_say_that_and_nothing_else(
    serve: Callable[..., Site], own_redis: RedisServer, redis_server: RedisServer
) -> None:
    away, frozen = serve(redis_url=own_redis.url), serve()

    with redis_server.frozen():
        answers = [away.get("/metrics"), frozen.get("/metrics")]

    for answer in answers:
        # The process's own numbers need no Redis.
        lines = [line for line in answer.text.splitlines() if not line.startswith(("#", "callbridge_http_"))]
        assert (answer.status, lines) == (200, ["callbridge_ledger_up 0.0"])
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
    assert "…304" in page.text and f'href="/api/calls/{KEY}"' in page.text
    assert "960304" not in page.text and "0100107" not in page.text and "Ada" not in page.text
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

    row = page[page.index(">CloudTalk</td>") - 100 :].partition("</tr>")[0]
    cells = re.findall("<td[^>]*>(.*?)</td>", row)
    assert re.fullmatch(r"\d+ of 50 in 60 s", cells[1])
    assert int(cells[2]) >= 10
    assert re.fullmatch(r"about \d+ (s|min)", cells[3])
    assert "<dt>calls missing</dt><dd>3</dd>" in page


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
