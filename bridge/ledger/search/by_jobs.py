"""Calls found by their jobs: those parked, and those whose sync is due, runs or has failed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.calls.summary import Place
from bridge.ledger.keys import JOBS, PARKED, QUEUE_KEYS, Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.kinds import OF_CALLS, SYNC

# More are not looked at: the newest, or first due, of these.
MOST = 20_000
# The errors of so many jobs are read; with more jobs, of the newest parked ones.
_MOST_READ = 4000


@boundary("search.parked")
def parked_calls(ledger: Ledger) -> list[str]:
    """Calls with a parked job; some may be named by their other id."""
    return _calls(cast(list[str], ledger.redis.zrevrange(PARKED, 0, MOST - 1)))


@boundary("search.saying")
def calls_with_error(ledger: Ledger, text: str) -> list[str]:
    """Calls with a job that failed with an error in which a text is, given in small letters."""
    if ledger.redis.hlen(JOBS) <= _MOST_READ:
        jobs = cast(dict[str, str], ledger.redis.hgetall(JOBS))
    else:
        names = cast(list[str], ledger.redis.zrevrange(PARKED, 0, _MOST_READ - 1))
        texts = cast(list[str | None], ledger.redis.hmget(JOBS, names)) if names else []
        jobs = {name: job or "{}" for name, job in zip(names, texts, strict=True)}
    return _calls(name for name, job in jobs.items() if text in _error_of(job))


@boundary("search.active")
def calls_being_synced(ledger: Ledger) -> list[str]:
    """Calls whose sync is due, runs, or failed and is to be tried again."""
    now_ms = ledger.now_ms()
    pipe = ledger.redis.pipeline(transaction=False)
    for name in QUEUE_KEYS[: len(Lane)]:
        pipe.zrangebyscore(name, "-inf", now_ms, 0, MOST)
    for name in QUEUE_KEYS[len(Lane) : 3 * len(Lane)]:
        pipe.zrangebyscore(name, now_ms, "+inf", 0, MOST)
    pipe.hlen(JOBS)
    *sets, jobs = pipe.execute()
    names = {name for found in sets for name in cast(list[str], found)}
    if jobs <= MOST:
        texts = cast(dict[str, str], ledger.redis.hgetall(JOBS))
        names |= {name for name, text in texts.items() if json.loads(text)["attempts"] > 0}
    return _calls(name for name in names if name.startswith(f"{SYNC.name}|"))


@boundary("search.changed")
def changed_calls(ledger: Ledger) -> list[str]:
    """Calls whose entries in the index are out of date."""
    return cast(list[str], ledger.redis.hkeys(keys.find("changed")))[:MOST]


@boundary("search.places")
def places_of(ledger: Ledger, names: Sequence[str]) -> list[Place]:
    """Where these calls are, most recent activity first, by their leading ids."""
    if not names:
        return []
    by_number = [name for name in names if name.startswith("id:")]
    pipe = ledger.redis.pipeline(transaction=False)
    for name in by_number:
        pipe.hget(keys.record(name), Field.UUID)
    uuids = dict(zip(by_number, pipe.execute(), strict=True)) if by_number else {}
    leading = list({f"uuid:{uuid}" if (uuid := uuids.get(name)) else name for name in names})
    scores = ledger.redis.zmscore(keys.CALLS, leading)
    found = [
        Place(score=int(score), key=key)
        for key, score in zip(leading, scores, strict=True)
        if score is not None
    ]
    return sorted(found, key=lambda place: (place.score, place.key), reverse=True)


def _calls(names: Iterable[str]) -> list[str]:
    jobs = (keys.split_job(name) for name in names)
    return list(dict.fromkeys(key for kind, key in jobs if kind in OF_CALLS))


def _error_of(text: str) -> str:
    job: dict[str, Any] = json.loads(text)
    return str(job.get("error") or job.get("cause") or "").casefold()
