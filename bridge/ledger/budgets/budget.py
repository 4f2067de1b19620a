"""The share of each service's budget, planned in Redis for all processes: lua/budgets/planner.lua."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import redis

from bridge.boundary import boundary
from bridge.errors import RateLimited, TooManyLooks
from bridge.ledger import keys, scripts
from bridge.ledger.budgets.requesters import BudgetRequester, Spent, current_look, current_requester
from bridge.ledger.keys import LANE_NAMES, Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.measures import fields_of
from bridge.ledger.sharing import Command, ask, later, script_command

# A request that got no reply in this time counts as one that did: it may have been counted there. A matter of
# HTTP's time limits, not of the window.
_LOST_AFTER_MS = 60_000
# What take.lua tells is in the way.
_IN_THE_WAY = {
    "closed": "{} asked us to wait",
    "paced": "requests to {} are spread over time, to leave room for live calls",
    "spent": "our share of {}'s budget is used up",
    "looks": "too many look-ups at {} found nothing; waiting",
    "others": "other clients use {}'s budget, and too little is left for now",
}
# How much the last run of a kind weighs in what such runs usually send.
_NEWEST = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What the bridge may ask of a service: so many requests in each window."""

    requests: int
    window_s: float

    def seconds_for(self, requests: int) -> float:
        return requests / self.requests * self.window_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Leave to send one request."""

    service: str
    name: str


class Budget:
    """A log of reply times: send only while last window's replies and those in flight stay under the share.

    Pacing and retrying on 429 both broke budgets in simulation; this used 99.7 % of one without a 429.
    A requester that finds it spent gets its slot, by lane and arrival; see bridge/README.md, "Budgets".

    Args:
        clock: seconds, of this process alone; says for how long a reply was not booked yet.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        service: str,
        share: int,
        window_s: float = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.service, self.share, self.window_s = service, share, window_s
        self._redis, self._looks = client, keys.looks(service)
        self._keys = [*keys.budget(service), keys.COUNTS, keys.MEASURES]
        self._plan = (share, int(window_s * 1000))
        self._take = client.register_script(scripts.source("take"))
        self._reply = client.register_script(scripts.source("reply"))
        self._release = client.register_script(scripts.source("release"))
        self._forecast = client.register_script(scripts.source("forecast"))
        # Kind of job -> requests that a run of it sends; each process learns its own.
        self._usual: dict[str, float] = {}

    @boundary("budget.take")
    def take(self, *, if_closed: Callable[[], None] | None = None) -> Slot:
        """Leave to send one request now, for the turn of this thread. Books the reply before it, too.

        Args:
            if_closed: called before anything is taken where some service or operation is closed
                (`bridge.ledger.queue.connections`). It saves a round trip that nothing is, as a rule.

        Raises:
            RateLimited: with what is in the way, and the seconds until the slot that was booked; no thread
                sleeps. Who does not come within a twentieth of a window after it loses it.
        """
        name, requester = secrets.token_hex(8), current_requester()
        spent = requester.at(self)
        sent, usual = (
            (0, 1) if requester.kind is None else (spent.sent, round(self._usual.get(requester.kind, 1)))
        )
        look = current_look()
        if look is not None and look.taken:
            # What comes after the first request, such as a second piece of a recording, is no look any more.
            look = None
        looks = 0 if look is None else max(1, int(self.share * look.part))
        wanted = (name, _LOST_AFTER_MS, requester.name, int(requester.lane), sent, max(1, usual), looks)
        asked = (*wanted, "0" if if_closed is None else "1")
        granted, number, *why = self._booking(spent, self._take, *asked)
        if if_closed is not None and why and why[0] == "gate":
            if_closed()
            granted, number, *why = self._run(self._take, *wanted, "0")
        if not int(granted) and why[0] == "looks":
            raise TooManyLooks(_IN_THE_WAY[why[0]].format(self.service), retry_after_s=int(number) / 1000)
        if not int(granted):
            spent.refused = True
            raise RateLimited(
                _IN_THE_WAY[why[0]].format(self.service),
                retry_after_s=int(number) / 1000,
                booked=True,
            )
        spent.sent, spent.kept = spent.sent + 1, int(number)
        if look is not None:
            look.taken.append((self, name))
        return Slot(service=self.service, name=name)

    @boundary("budget.give_back_look")
    def give_back_look(self, name: str) -> None:
        """A look found something: it does not count among those that did not."""
        later(self._redis, ("ZREM", self._looks, name))

    def ended(self, requester: BudgetRequester, spent: Spent) -> None:
        """A turn is over: learn from it, and give back what was kept for it."""
        # One that was refused half-way would have sent at least one more.
        sent = spent.sent + spent.refused
        if requester.kind is not None and spent.sent:
            usual = self._usual.get(requester.kind, 1.0)
            if sent > usual or not spent.refused:
                self._usual[requester.kind] = usual + _NEWEST * (sent - usual)
        if spent.kept and not spent.refused:
            with boundary("budget.release"):
                later(self._redis, self._booking_command(spent, self._release, requester.name))
        elif spent.unbooked:
            with boundary("budget.reply"):
                later(self._redis, self._booking_command(spent, self._reply))

    @boundary("budget.reply")
    def replied(
        self,
        slot: Slot,
        *,
        operation: str,
        status: str,
        closed_for_s: float = 0,
        rate_limits: tuple[int, int, float | None] | None = None,
        seconds: float | None = None,
        at_once: bool = False,
    ) -> None:
        """Book the end of a request: of a job's, with its next request or its end, to save a round trip.

        Args:
            operation: empty where another budget counts this request.
            closed_for_s: when the service told us to wait.
            rate_limits: what its headers say of the whole company's budget: its limit, what remains, and
                the seconds until their window ends.
            seconds: how long it took; None where that says nothing.
            at_once: the job may not send another for long.
        """
        counter = f"upstream:{self.service}:{operation}:{status}" if operation else ""
        limit, remaining, resets_in_s = rate_limits or (-1, -1, None)
        resets_in_ms = -1 if resets_in_s is None else int(resets_in_s * 1000)
        measured: tuple[str, str, int] = ("", "", 0)
        if seconds is not None:
            measured = fields_of("upstream", seconds, self.service, operation)
        reply = (slot.name, counter, int(closed_for_s * 1000), limit, remaining, resets_in_ms, *measured)
        requester = current_requester()
        spent = requester.at(self)
        spent.unbooked.append((self._clock(), reply))
        if at_once or closed_for_s or requester.kind is None or requester.over:
            self._booking(spent, self._reply)

    @boundary("budget.state")
    def state(self) -> dict[str, Any]:
        """For `/api/queue`: the share, what is left of it, and for each lane who waits and for how long.

        `drain_s`: seconds until the last of those who wait now has what it waits for, at the share of now.
        """
        (used, flying, closed_for_ms, rate_limits, others), *lanes = self._run(self._forecast)
        left = max(0, self.share - used)
        waiting = {
            LANE_NAMES[lane]: {"jobs": jobs, "requests": places, "drain_s": drain_ms / 1000}
            for lane, (jobs, places, drain_ms) in zip(Lane, lanes, strict=True)
        }
        return {
            "per_window": self.share,
            "window_s": self.window_s,
            "left": left if rate_limits < 0 else min(left, rate_limits),
            "in_flight": flying,
            "closed_for_s": closed_for_ms / 1000,
            "others_spend": bool(others),
            "waiting": waiting,
            "drain_s": max(lane["drain_s"] for lane in waiting.values()),
        }

    def _booking(self, spent: Spent, script: Any, *arguments: object) -> Any:
        """Run a script that also books replies; if it fails, the next one books them."""
        count, booked = self._unbooked(spent)
        answer = self._run(script, *arguments, *booked)
        del spent.unbooked[:count]
        return answer

    def _booking_command(self, spent: Spent, script: Any, *arguments: object) -> Command:
        """The same for a run that ends: nothing books what it misses."""
        _, booked = self._unbooked(spent)
        spent.unbooked.clear()
        return script_command(script, self._keys, [*self._plan, *arguments, *booked])

    def _unbooked(self, spent: Spent) -> tuple[int, list[object]]:
        """How many replies are not booked, and these as scripts take them."""
        replies, now = list(spent.unbooked), self._clock()
        return len(replies), [
            part for at, (name, *rest) in replies for part in (name, max(0, int((now - at) * 1000)), *rest)
        ]

    def _run(self, script: Any, *arguments: object) -> Any:
        return ask(self._redis, script, self._keys, [*self._plan, *arguments])


def budgets_of(ledger: Ledger, shares: Mapping[str, Share]) -> dict[str, Budget]:
    """The budget of each service, in the ledger's Redis."""
    return {
        service: Budget(ledger.redis, service=service, share=share.requests, window_s=share.window_s)
        for service, share in shares.items()
    }
