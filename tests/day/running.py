"""Runs the scripted day through a bridge in the test's own process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import redis

from bridge.ledger import keys
from bridge.sandbox.running import RunningSandbox
from tests.day.deeds import do_deeds
from tests.day.script import DEEDS_AFTER, PARTS, Day
from tests.day.teams import Choice
from tests.day.telling import Webhook, cloudtalk_knows, furnish, part, shuffled
from tests.support import Bridge

# A recording is waited for, a late tag asked for: all of it is done within this.
_SETTLES_WITHIN_S = 60


@dataclass(slots=True)
class Requests:
    """How many were sent to each service."""

    kustomer: int = 0
    cloudtalk: int = 0

    def count(self, sandbox: RunningSandbox) -> None:
        """Those since the last time: the sandbox's own log is not endless."""
        self.kustomer += len(sandbox.kustomer.requests)
        self.cloudtalk += len(sandbox.cloudtalk.requests)
        sandbox.kustomer.forget_requests()
        sandbox.cloudtalk.forget_requests()


def run_day(
    client: redis.Redis,
    sandbox: RunningSandbox,
    day: Day,
    choice: Choice,
    *,
    shuffle: int | None = None,
    copies: int = 1,
) -> Requests:
    """Deliver the day and run its jobs.

    Args:
        shuffle: a seed for another order of the webhooks of each part of the day.
        copies: how often each is delivered.
    """
    furnish(sandbox, day, house=choice.house)
    bridge = Bridge(client, sandbox, also=choice.settings)
    # So that it is a day like any other, before which nothing can have been forgotten.
    born_at = PARTS[0][0] - timedelta(days=1)
    client.hset(keys.META, "born_at", str(int(born_at.timestamp() * 1000)))
    sent = Requests()
    for number in range(len(PARTS)):
        told = part(day, number)
        if shuffle is None:
            _in_order(bridge, sandbox, told)
        else:
            for call in {one.call.number: one.call for one in told}.values():
                cloudtalk_knows(sandbox, call, in_the_end=True)
            _deliver(bridge, shuffled(told, shuffle + number, copies=copies))
        bridge.run_jobs_for(_SETTLES_WITHIN_S, step_s=20)
        sent.count(sandbox)
        if number == DEEDS_AFTER:
            do_deeds(sandbox, day, settles=bridge.ledger if choice.settles else None)
            bridge.run_jobs(most=5_000)
    return sent


# Workers run beside the webhooks: so many come before whatever is due is done.
_AT_A_TIME = 10


def _in_order(bridge: Bridge, sandbox: RunningSandbox, told: list[Webhook]) -> None:
    seen: set[int] = set()
    for n, one in enumerate(told):
        if one.call.number not in seen or one.trigger == "call-modified":
            cloudtalk_knows(sandbox, one.call, in_the_end=one.trigger == "call-modified")
            seen.add(one.call.number)
        bridge.receive(one.trigger, one.body)
        if n % _AT_A_TIME == 0:
            bridge.run_jobs(most=5_000)
    bridge.run_jobs(most=5_000)


def _deliver(bridge: Bridge, told: list[Webhook]) -> None:
    for n, one in enumerate(told):
        bridge.receive(one.trigger, one.body)
        if n % _AT_A_TIME == 0:
            bridge.run_jobs(most=5_000)
    bridge.run_jobs(most=5_000)
