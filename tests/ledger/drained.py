"""A backlog that is worked off against one service's budget, and how long that took beside the least time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from bridge.ledger.keys import Lane
from tests.ledger.simulated import Simulation
from tests.ledger.upstream import Tells, TestClock, Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """
    Args:
        took_s: from the start to the last request.
        ratio: that beside the time in which the service takes so many requests, ours and those of others
            together, at its limit.
        sent, refused: our requests, and how many of them got a 429.
        others_refused: requests of the others that got one.
        live_waited_s: of each live call that came meanwhile, until its first request.
    """

    took_s: float
    ratio: float
    sent: int
    refused: int
    others_refused: int
    live_waited_s: tuple[float, ...]


def drain(
    clock: TestClock,
    service: Callable[..., Upstream],
    *,
    limit: int,
    calls: int,
    requests: int = 1,
    others: float = 0,
    live: int = 0,
    tells: Tells = "always",
    lane: Lane = Lane.BACKFILL,
    seed: int = 1,
) -> Drained:
    """Work off so many calls of so many requests each; the bridge's share is the whole limit of a minute.

    Args:
        others: requests that somebody else sends in a minute, at random times.
        live: calls that come at random times in the first half, two requests each.
    """
    run = Simulation(clock, service(limit), share=limit, seed=seed, tells=tells)
    for _ in range(calls):
        run.add(lane, requests=requests)
    if others:
        run.others_send(others)
    dice, came = random.Random(seed), list[str]()
    least_s = calls * requests / limit * run.window_s
    for _ in range(live):
        run.at(dice.uniform(0.05, 0.5) * least_s, lambda: came.append(run.add(Lane.LIVE, requests=2)))

    run.run()

    end = run.sent[-1].at
    taken = len(run.sent) - run.refused + sum(taken for at, taken in run.theirs if at <= end)
    return Drained(
        took_s=end - run.start,
        ratio=(end - run.start) / (taken / limit * run.window_s),
        sent=len(run.sent),
        refused=run.refused,
        others_refused=sum(not taken for _, taken in run.theirs),
        live_waited_s=tuple(run.waited(job) for job in came),
    )
