"""Parked jobs: chosen by filter, run again a few at a time, or dropped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from bridge.boundary import boundary
from bridge.domain.webhook.values import read_call_id
from bridge.ledger import keys, trail
from bridge.ledger.calls.record import moment
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.paging import Page, Place, page_of

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
    calls = _calls(ledger, wanted)
    since = dict(cast(list[tuple[str, float]], ledger.redis.zrange(keys.PARKED, 0, -1, withscores=True)))
    jobs = (_parked(name, job, since.get(name)) for name, job in ledger.parked().items())
    return [job for job in jobs if _fits(job, wanted, calls)]


def _fits(job: Parked, wanted: Mapping[str, str], calls: set[str] | None) -> bool:
    return (
        wanted.get("kind", job.kind) == job.kind
        and wanted.get("cause", job.cause) == job.cause
        and (calls is None or job.key in calls)
    )


def _calls(ledger: Ledger, wanted: Mapping[str, str]) -> set[str] | None:
    """The keys of the call that is wanted; None: of any."""
    if "call" not in wanted:
        return None
    if keys.is_message(wanted["call"]):
        return {wanted["call"]}
    record = ledger.find(wanted["call"])
    return set() if record is None else {record.key, f"id:{record.call_id}"}


def _parked(name: str, job: Mapping[str, Any], since_ms: float | None) -> Parked:
    kind, key = keys.split_job(name)
    at = moment(since_ms)
    return Parked(
        name=name,
        kind=kind,
        key=key,
        lane=Lane(job.get("lane", Lane.LIVE)),
        cause=job.get("cause"),
        error=job.get("error"),
        since=at.isoformat() if at else None,
    )


def parked_page(
    ledger: Ledger, wanted: Mapping[str, str], *, cursor: str = "", limit: int = 50
) -> Page[Parked]:
    """One page of those that fit all of `wanted` (as `choose`), the one that waits longest first.

    Raises:
        WrongUse: the cursor is none of ours.
    """
    calls = _calls(ledger, wanted)

    def read(places: list[Place]) -> list[Parked | None]:
        with boundary("parked.page"):
            texts = cast(list[str | None], ledger.redis.hmget(keys.JOBS, [place.name for place in places]))
        jobs = [
            _parked(place.name, json.loads(text) if text else {}, place.score)
            for place, text in zip(places, texts, strict=True)
        ]
        return [job if _fits(job, wanted, calls) else None for job in jobs]

    return page_of(ledger.redis, keys.PARKED, after=Place.read(cursor), limit=limit, read=read)


@boundary("parked.ids")
def ids_of(ledger: Ledger, jobs: Sequence[Parked]) -> list[tuple[int | None, str | None]]:
    """Call id and uuid of the call of each job, as far as they are known."""
    pipe = ledger.redis.pipeline(transaction=False)
    for job in jobs:
        pipe.hmget(keys.record(job.key), [Field.ID, Field.UUID])
    found: list[tuple[int | None, str | None]] = []
    for job, (number, uuid) in zip(jobs, pipe.execute() if jobs else [], strict=True):
        family, _, own = job.key.partition(":")
        if keys.is_message(job.key):
            found.append((None, None))
            continue
        call_id = read_call_id(own if family == "id" else number)
        found.append((call_id, own if family == "uuid" else uuid))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What became of jobs that were to be run again; where time was short, not all are listed.

    `gone` are those that were not parked any more: somebody dropped them, or ran them again, since they were
    chosen. (One whose queueing lost its reply is listed as gone, too: asked again, it is found queued.)
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
