"""The ledger: call records (`calls/records.py`), the work that is due (`queue/jobs.py`), and what is counted.

Every method that changes something is one Lua call (`lua/`, each file says what it guarantees), or a
few plain commands where nothing can go wrong between them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.disk import Rewrite, rewrite_files
from bridge.ledger.facts import Facts, keep_facts, read_facts
from bridge.ledger.keys import QUEUE_KEYS, Lane
from bridge.ledger.measures import Measured, job_wait, read_measures
from bridge.ledger.processes import Heartbeat, Process, processes
from bridge.ledger.queue.by_kind import MOST_LOOKED_AT, QueueByKind, read_queue_by_kind
from bridge.ledger.queue.jobs import Jobs
from bridge.ledger.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    due: int
    overdue: int
    waiting: int
    running: int
    oldest_due_s: float


class Ledger(Jobs):
    """See the module. `client` must decode replies (`bridge.ledger.connect.connect` makes such a one)."""

    # -- numbers

    def queue(self) -> dict[Lane, LaneState]:
        """The queue's own numbers per lane, at one instant."""
        *lanes, now = self._run("queue", [*QUEUE_KEYS])
        return {
            lane: LaneState(
                due=int(due),
                overdue=int(overdue),
                waiting=int(waiting),
                running=int(running),
                oldest_due_s=max(0.0, (int(now) - float(oldest)) / 1000) if float(oldest) else 0.0,
            )
            for lane, (due, overdue, waiting, running, oldest) in zip(Lane, lanes, strict=True)
        }

    @boundary("ledger.parked")
    def parked(self) -> dict[str, dict[str, Any]]:
        """Parked jobs by name, with lane, cause and error."""
        names = cast(list[str], self.redis.zrange(keys.PARKED, 0, -1))
        if not names:
            return {}
        texts = cast(list[str | None], self.redis.hmget(keys.JOBS, names))
        return {name: json.loads(text) if text else {} for name, text in zip(names, texts, strict=True)}

    @boundary("ledger.parked_count")
    def parked_count(self) -> int:
        return int(self.redis.zcard(keys.PARKED))

    @boundary("ledger.held_count")
    def held_count(self) -> int:
        return self.redis.hlen(keys.HELD)

    @boundary("ledger.other_count")
    def other_count(self) -> int:
        """How many messages and changes of contacts are kept: they speak of no call by nature."""
        return self.redis.hlen(keys.OTHER)

    @boundary("ledger.counts")
    def counts(self) -> dict[str, int]:
        """All counters: `webhook:…`, `refused:…`, `upstream:…`, `job:…`."""
        found = cast(dict[str, str], self.redis.hgetall(keys.COUNTS))
        return {name: int(value) for name, value in found.items()}

    @boundary("ledger.count")
    def count(self, *names: str, wait: tuple[Lane, float] | None = None) -> None:
        """Add one to each of these counters.

        Args:
            wait: the lane of a job, and for how many seconds it was due before its run.
        """
        if len(names) == 1 and wait is None:
            self.redis.hincrby(keys.COUNTS, names[0], 1)
            return
        pipe = self.redis.pipeline(transaction=False)
        for name in names:
            pipe.hincrby(keys.COUNTS, name, 1)
        if wait is not None:
            for name, amount in job_wait(*wait):
                pipe.hincrby(keys.MEASURES, name, amount)
        pipe.execute()

    def queue_by_kind(self) -> QueueByKind:
        """Jobs of each lane and kind, and what is parked; see `bridge.ledger.queue.by_kind`."""
        return read_queue_by_kind(self._run("by_kind", [*QUEUE_KEYS], MOST_LOOKED_AT))

    def measures(self) -> dict[str, dict[tuple[str, ...], Measured]]:
        """The histograms that all processes share."""
        return read_measures(self.redis)

    def facts(self) -> Facts:
        """What was last seen of the bridge, its Redis and its storage; see `bridge.ledger.facts`."""
        return read_facts(self.redis)

    def keep_facts(self, **facts: float) -> None:
        """Keep what was seen just now; see `Facts`."""
        keep_facts(self.redis, facts)

    @boundary("ledger.link_secret")
    def link_secret(self) -> bytes:
        """What signs links to recordings; made once and kept."""
        self.redis.hsetnx(keys.META, "link_secret", secrets.token_hex(32))
        return bytes.fromhex(cast(str, self.redis.hget(keys.META, "link_secret")))

    def rewrite_files(self) -> Rewrite:
        """Have Redis write its files anew; see `bridge.ledger.disk`."""
        return rewrite_files(self.redis)

    # -- processes

    @contextmanager
    def wakeups(self, channel: str = keys.WAKE) -> Iterator[Callable[[float], str | None]]:
        """Hears when something became due; the function that it gives waits so many seconds for that.

        It answers the name of the job; another text where it is not named; None where nothing was heard.
        """
        with (
            boundary("broker.listen"),
            self.redis.pubsub(ignore_subscribe_messages=True) as heard,  # type: ignore[no-untyped-call]
        ):
            heard.subscribe(channel)

            def wait(timeout_s: float) -> str | None:
                message = heard.get_message(timeout=timeout_s)
                return str(message["data"]) if message else None

            yield wait

    def heartbeat(self, kind: str, **options: Any) -> Heartbeat:
        """Tells the others that this process runs; see `Heartbeat` for the options."""
        return Heartbeat(self.redis, kind, **options)

    def processes(self) -> list[Process]:
        """Those of the bridge that run now: web first, then workers and clocks."""
        return processes(self.redis)

    def sessions(self, tokens: Iterable[bytes]) -> Sessions:
        """The sessions of people who signed in with one of these tokens."""
        return Sessions.under(tokens, self.redis)

    @boundary("ledger.take_turn")
    def take_turn(self, name: str, who: str, *, for_ms: int) -> bool:
        """Whether nobody had the turn of this name in that time; then it is ours."""
        return bool(self.redis.set(name, who, nx=True, px=for_ms))

    @boundary("ledger.end_turn")
    def end_turn(self, name: str, who: str) -> None:
        """Let others have a turn at once, if it is still ours."""
        if self.redis.get(name) == who:
            self.redis.delete(name)

    @boundary("ledger.tidy")
    def tidy(self) -> None:
        """Forget the list entries of calls whose records have expired."""
        oldest = self.now_ms() - self.keep_for.outputs_s * 1000
        self.redis.zremrangebyscore(keys.CALLS, "-inf", oldest)
        self.redis.zremrangebyscore(keys.MESSAGES, "-inf", oldest)
        self.redis.zremrangebyscore(keys.CONTACTS, "-inf", oldest)
        self.redis.zremrangebyscore(keys.FORGOTTEN, "-inf", oldest)
