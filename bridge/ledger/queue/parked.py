"""Parked jobs: chosen by filter, run again a few at a time, or dropped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from bridge.boundary import boundary
from bridge.ledger import keys, trail
from bridge.ledger.calls.record import moment
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger

# How many are tried first; then a tenth of all, then all.
FEW = 3
FILTERS = ("kind", "cause", "call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A job that was given up, and why."""

    name: str
    kind: str
    key: str
    lane: Lane
    cause: str | None
    error: str | None
    since: str | None

    def line(self) -> dict[str, str | None]:
        return {
            "name": self.name,
            "kind": self.kind,
            "call": self.key,
            "cause": self.cause,
            "since": self.since,
            "error": self.error,
        }


@boundary("parked.choose")
def choose(ledger: Ledger, wanted: Mapping[str, str]) -> list[Parked]:
    """Those that fit all of `wanted`, the one that waits longest first.

    Args:
        wanted: some of kind, cause, call (key, number or uuid); none of them means all.
    """
    calls: set[str] | None = None
    if "call" in wanted:
        record = ledger.find(wanted["call"])
        calls = set() if record is None else {record.key, f"id:{record.call_id}"}
    since = dict(cast(list[tuple[str, float]], ledger.redis.zrange(keys.PARKED, 0, -1, withscores=True)))
    found = []
    for name, job in ledger.parked().items():
        kind, key = keys.split_job(name)
        fits = wanted.get("kind", kind) == kind and wanted.get("cause", job.get("cause")) == job.get("cause")
        if fits and (calls is None or key in calls):
            at = moment(since.get(name))
            found.append(
                Parked(
                    name=name,
                    kind=kind,
                    key=key,
                    lane=Lane(job.get("lane", Lane.LIVE)),
                    cause=job.get("cause"),
                    error=job.get("error"),
                    since=at.isoformat() if at else None,
                )
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What became of jobs that were to be run again; where time was short, not all are told of.

    `gone` are those that were not parked any more: somebody dropped them, or ran them again, since they were
    chosen. (One whose queueing lost its reply is told as gone, too: asked again, it is found queued.)
    """

    queued: tuple[Parked, ...]
    gone: tuple[Parked, ...]


def run_again(ledger: Ledger, jobs: Sequence[Parked], *, who: str, within_s: float | None = None) -> Again:
    """Queue those that still are parked: what somebody dropped meanwhile is not to be done."""
    ends = None if within_s is None else time.monotonic() + within_s
    queued, gone = [], []
    for job in jobs:
        if ends is not None and time.monotonic() > ends:
            break
        if ledger.replay(job.kind, job.key, who=who, lane=job.lane, if_parked=True):
            trail.leave(ledger, who=who, what=f"run again: {job.kind}", call=job.key)
            queued.append(job)
        else:
            gone.append(job)
    return Again(queued=tuple(queued), gone=tuple(gone))


def drop(ledger: Ledger, jobs: Sequence[Parked], *, who: str, reason: str) -> list[Parked]:
    """Take them off the list for good; answers those that still were on it."""
    done = []
    for job in jobs:
        line = trail.line(ledger, who=who, what=f"dropped: {job.kind}", call=job.key, more=reason)
        if ledger.drop(job.kind, job.key, who=who, why=reason, line=line):
            done.append(job)
    return done


def phases(jobs: Sequence[Parked]) -> Iterator[Sequence[Parked]]:
    """A few, a tenth, the rest."""
    start = 0
    for size in (FEW, len(jobs) // 10, len(jobs)):
        if start < len(jobs) and size > 0:
            yield jobs[start : start + size]
            start += size


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How jobs that were run again stand: ended well, failed again, or not known yet."""

    done: tuple[Parked, ...]
    failed: tuple[Parked, ...]
    open: tuple[Parked, ...]


def watch(ledger: Ledger, jobs: Sequence[Parked], *, pause: Callable[[], None], within_s: float) -> Outcome:
    """Wait until each has ended: done, parked again, or waiting after a failure."""
    if not jobs:
        return Outcome(done=(), failed=(), open=())
    ends = time.monotonic() + within_s
    while True:
        outcome = _look(ledger, jobs)
        if not outcome.open or time.monotonic() > ends:
            return outcome
        pause()


@boundary("parked.look")
def _look(ledger: Ledger, jobs: Sequence[Parked]) -> Outcome:
    texts = cast(list[str | None], ledger.redis.hmget(keys.JOBS, [job.name for job in jobs]))
    parked = ledger.parked()
    ended: dict[str, list[Parked]] = {"done": [], "failed": [], "open": []}
    for job, text in zip(jobs, texts, strict=True):
        now = json.loads(text) if text else None
        failed = job.name in parked or (now is not None and now["attempts"] > 0)
        ended["done" if now is None else "failed" if failed else "open"].append(job)
    return Outcome(**{name: tuple(found) for name, found in ended.items()})


@boundary("parked.workers_listen")
def workers_listen(ledger: Ledger) -> bool:
    """Whether any worker waits for something to do."""
    return any(count for _, count in ledger.redis.pubsub_numsub(keys.WAKE))
