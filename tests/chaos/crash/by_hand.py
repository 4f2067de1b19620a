"""What commands, pages and `/api` ask of a ledger, and have done in it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Held, read_event
from bridge.ledger import health, keys, news, refusals, trail
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.budgets.requesters import BudgetRequester, Spent
from bridge.ledger.calls.held import drop, find_held, held_events, held_page, match_held
from bridge.ledger.calls.reading import noted_at
from bridge.ledger.calls.received import newest_mark, received
from bridge.ledger.keys import Lane
from bridge.ledger.queue import parked, replay_runs
from bridge.reports.what_if import WhatIf
from tests.chaos.crash.hand import Hand
from tests.chaos.crash.one_call import ENDED, KEY


def by_hand(hand: Hand) -> None:
    """What commands and pages ask, of a ledger with one call and one delivery that names none."""
    held = read_event("call-ended", {"event": "call_ended"}, Rules())
    assert isinstance(held, Held)
    hand.ledger.hold(held, {"event": "call_ended"})
    hand.tell("call-ended", ENDED)
    hand.ledger.recent(count=10)
    hand.ledger.job_states(KEY)
    hand.ledger.parked()
    hand.ledger.queue()
    hand.ledger.held_count()
    hand.ledger.counts()
    nameless = {"event": "call_ended", "external_number": ENDED["external_number"]}
    unnamed = read_event("call-ended", nameless, Rules())
    assert isinstance(unnamed, Held)
    hand.ledger.hold(unnamed, nameless)
    message = {"trigger": "message-received", "reason": "belongs to no call", "body": "{}"}
    with hand.watch.aside():
        # As earlier versions held it.
        hand.ledger.redis.hset(keys.HELD, "message", json.dumps(message))
        hand.ledger.redis.zadd(keys.HELD_AT, {"message": hand.ledger.now_ms()})
    match_held(hand.ledger, Rules())
    hand.ledger.other_count()
    held_page(hand.ledger)
    drop(hand.ledger, list(held_events(hand.ledger)), who="test", reason="a test")
    jobs = parked.choose(hand.ledger, {})
    parked.run_again(hand.ledger, jobs, who="test")
    job = parked.Parked(
        name=f"sync|{KEY}", kind="sync", key=KEY, lane=Lane.LIVE, cause=None, error=None, since=None
    )
    parked.watch(hand.ledger, [job], pause=lambda: None, within_s=0)
    line = trail.line(hand.ledger, who="test", what="parked: sync", call=KEY)
    hand.ledger.give_up("sync", KEY, why="a test", line=line)
    parked.ids_of(hand.ledger, parked.parked_page(hand.ledger, {}).items)
    parked.drop(hand.ledger, [job], who="test", reason="a test")
    parked.workers_listen(hand.ledger)
    _in_phases(hand, job)
    _reads(hand)
    hand.deps.kustomer.customers.by_email("ada@example.com")
    hand.deps.kustomer.attachments.reference("0" * 24)
    # A run that was given more places of a budget than it needed in the end.
    budget = Budget(hand.ledger.redis, service="kustomer", share=1000)
    budget.ended(BudgetRequester(lane=Lane.LIVE, name="sync|ended", kind="sync"), Spent(sent=1, kept=1))


def _in_phases(hand: Hand, job: parked.Parked) -> None:
    """A job that nobody parked is gone; one that was runs again. Old runs make room."""
    unknown = replace(job, name="sync|id:1", key="id:1")
    replay_runs.step_all(hand.ledger)
    with hand.watch.aside():
        for _ in range(replay_runs.MOST_RUNS):
            replay_runs.start(hand.ledger, [unknown], who="test", about="a test")
    replay_runs.start(hand.ledger, [unknown], who="test", about="a test")
    with hand.watch.aside():
        hand.ledger.redis.zadd(keys.PARKED, {job.name: 1})
    # Named more than once: in one phase, only the first of them is still parked.
    run = replay_runs.start(hand.ledger, [job] * 3, who="test", about="a test")
    hand.run_due()
    with hand.watch.aside():
        hand.ledger.redis.zadd(keys.PARKED, {job.name: hand.ledger.now_ms()})
    replay_runs.step(hand.ledger, run.id)
    replay_runs.go_on(hand.ledger, run.id, who="test")
    hand.run_due()
    replay_runs.cancel(hand.ledger, run.id, who="test")
    _by_other_rules(hand)


def _by_other_rules(hand: Hand) -> None:
    """What other rules would make of the call, and its sync by them."""
    now = datetime.now(UTC)
    since, until = now - timedelta(days=3650), now - timedelta(days=1)
    other = WhatIf(
        ledger=hand.ledger, was=Rules(), would=Rules(tags=("a",)), since=since, until=until, now=now
    )
    list(other)
    replay_runs.start_syncs(hand.ledger, [KEY], who="test", about="a test")
    hand.run_due()
    replay_runs.step_all(hand.ledger)


def _reads(hand: Hand) -> None:
    """What pages and `/api` show."""
    ledger = hand.ledger
    trail.read(ledger)
    received(ledger, after=newest_mark(ledger))
    received(ledger)
    ledger.measures()
    ledger.queue_by_kind()
    ledger.facts()
    health.storage_failed(ledger, "a test")
    health.storage_failing(ledger)
    health.storage_works(ledger)
    health.server_health(ledger)
    health.late_live_calls(ledger, after_s=0)
    noted_at(ledger, [KEY])
    refusals.refusals(ledger)
    refusals.refused_by_hour(ledger)
    news.look(ledger, news.look(ledger))
    find_held(ledger, "none")
