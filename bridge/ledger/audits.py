"""Audits asked for on a page or over `/api`: queued, done by the clock, and their results, the newest few."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal, cast

from bridge.boundary import boundary
from bridge.errors import Rejected
from bridge.ledger import keys, trail
from bridge.ledger.calls.record import moment
from bridge.ledger.ledger import Ledger

State = Literal["queued", "going", "done", "failed"]

# Of differences.
KINDS = ("missing", "duplicated", "unknown", "recordings_missing")
MOST = 10
_REPAIRED = "repaired"
# Items kept of each kind of difference.
MOST_ITEMS = 200
# One that tells nothing for so long was cut short: another process begins it anew. It only reads.
_SILENT_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRun:
    """One audit.

    Args:
        says: what it does now, or why it failed.
        calls: in CloudTalk's list.
        days: for each day its numbers.
        counts: how many differences of each kind there are; of each, `items` has at most `MOST_ITEMS`.
    """

    id: str
    who: str
    since: datetime
    until: datetime
    repair: bool
    state: State
    asked_at: datetime
    ended_at: datetime | None
    says: str
    requests: int
    calls: int
    days: Sequence[Mapping[str, Any]]
    counts: Mapping[str, int]


def ask(ledger: Ledger, *, since: datetime, until: datetime, repair: bool, who: str) -> AuditRun:
    """Have an audit done. One that is queued for the same span by the same person is not queued twice."""
    for run in audits(ledger):
        same = (run.since, run.until, run.repair, run.who) == (since, until, repair, who)
        if same and run.state in ("queued", "going"):
            return run
    id_ = secrets.token_hex(6)
    values: dict[Any, Any] = {
        "who": who, "since": since.isoformat(), "until": until.isoformat(), "repair": "1" if repair else "",
        "state": "queued", "asked_at": str(ledger.now_ms()), "says": "waits for the clock",
    }  # fmt: skip
    with boundary("audits.ask"):
        pipe = ledger.redis.pipeline()
        pipe.hset(_run(id_), mapping=values)
        pipe.expire(_run(id_), ledger.keep_for.events_s)
        pipe.lpush(keys.AUDITS, id_)
        pipe.lrange(keys.AUDITS, MOST, -1)
        pipe.ltrim(keys.AUDITS, 0, MOST - 1)
        # A clock of many accounts looks at this one soon.
        pipe.publish(keys.WAKE, "audit")
        old = cast(list[str], pipe.execute()[-3])
    if old:
        with boundary("audits.remove"):
            ledger.redis.delete(*(name for id_ in old for name in (_run(id_), _items(id_))))
    trail.leave(ledger, who=who, what="audit and repair" if repair else "audit", more=_span(since, until))
    return find(ledger, id_)


def audits(ledger: Ledger) -> list[AuditRun]:
    """The newest audits, newest first."""
    with boundary("audits.ids"):
        ids = cast(list[str], ledger.redis.lrange(keys.AUDITS, 0, -1))
    found = (_read(ledger, id_) for id_ in ids)
    return [run for run in found if run is not None]


def find(ledger: Ledger, id_: str) -> AuditRun:
    """Raises Rejected where there is none."""
    run = _read(ledger, id_)
    if run is None:
        raise Rejected("There is no such audit, or it was long ago.")
    return run


def items(ledger: Ledger, id_: str) -> dict[str, list[dict[str, Any]]]:
    """What does not match, by kind; and what was queued, as `repaired`, a line for each call."""
    with boundary("audits.items"):
        texts = cast(list[str], ledger.redis.lrange(_items(id_), 0, -1))
    found: dict[str, list[dict[str, Any]]] = {}
    for text in texts:
        kind, item = json.loads(text)
        found.setdefault(kind, []).append(item)
    return found


def take(ledger: Ledger) -> AuditRun | None:
    """The audit that waits longest, for this process to do; also one that was cut short."""
    now_ms = ledger.now_ms()
    for run in reversed(audits(ledger)):
        with boundary("audits.silent"):
            told_ms = int(cast("str | None", ledger.redis.hget(_run(run.id), "told_at")) or 0)
        is_left = run.state == "going" and now_ms - told_ms > _SILENT_MS
        if (run.state == "queued" or is_left) and ledger.take_turn(_turn(run.id), "audit", for_ms=_SILENT_MS):
            tell(ledger, run.id, "reading CloudTalk's call list", requests=0)
            return run
    return None


@boundary("audits.tell")
def tell(ledger: Ledger, id_: str, says: str, *, requests: int) -> None:
    """That it goes on, and what it does."""
    values: dict[Any, Any] = {
        "state": "going", "says": says, "requests": str(requests), "told_at": str(ledger.now_ms()),
    }  # fmt: skip
    ledger.redis.hset(_run(id_), mapping=values)


def end(
    ledger: Ledger,
    id_: str,
    *,
    requests: int,
    calls: int,
    days: Sequence[Mapping[str, Any]],
    differences: Mapping[str, Sequence[Mapping[str, Any]]],
    repaired: Iterable[str] = (),
) -> None:
    """Keep its result."""
    values: dict[Any, Any] = {
        "state": "done", "says": "", "ended_at": str(ledger.now_ms()), "calls": str(calls),
        "requests": str(requests),
        "days": json.dumps(list(days)),
        "counts": json.dumps({kind: len(found) for kind, found in differences.items()}),
    }  # fmt: skip
    # As front/erasing.lua looks for the ids of a call that is forgotten.
    texts = [
        json.dumps([kind, item], separators=(",", ":"))
        for kind, found in differences.items()
        for item in found[:MOST_ITEMS]
    ]
    texts += [json.dumps([_REPAIRED, {"says": line}]) for line in islice(repaired, MOST_ITEMS)]
    with boundary("audits.end"):
        pipe = ledger.redis.pipeline()
        pipe.hset(_run(id_), mapping=values)
        pipe.delete(_items(id_), _turn(id_))
        if texts:
            pipe.rpush(_items(id_), *texts)
            pipe.expire(_items(id_), ledger.keep_for.events_s)
        pipe.execute()


@boundary("audits.fail")
def fail(ledger: Ledger, id_: str, why: str) -> None:
    values: dict[Any, Any] = {"state": "failed", "says": why, "ended_at": str(ledger.now_ms())}
    pipe = ledger.redis.pipeline()
    pipe.hset(_run(id_), mapping=values)
    pipe.delete(_turn(id_))
    pipe.execute()


@boundary("audits.put_back")
def put_back(ledger: Ledger, id_: str) -> None:
    """This process ends; another begins it anew."""
    values: dict[Any, Any] = {"state": "queued", "says": "waits for the clock"}
    pipe = ledger.redis.pipeline()
    pipe.hset(_run(id_), mapping=values)
    pipe.delete(_turn(id_))
    pipe.execute()


@boundary("audits.read")
def _read(ledger: Ledger, id_: str) -> AuditRun | None:
    fields = cast(dict[str, str], ledger.redis.hgetall(_run(id_)))
    if "since" not in fields:
        return None
    return AuditRun(
        id=id_,
        who=fields["who"],
        since=datetime.fromisoformat(fields["since"]),
        until=datetime.fromisoformat(fields["until"]),
        repair=bool(fields["repair"]),
        state=cast(State, fields["state"]),
        asked_at=cast(datetime, moment(int(fields["asked_at"]))),
        ended_at=moment(int(fields["ended_at"])) if "ended_at" in fields else None,
        says=fields.get("says", ""),
        requests=int(fields.get("requests", 0)),
        calls=int(fields.get("calls", 0)),
        days=json.loads(fields.get("days", "[]")),
        counts=json.loads(fields.get("counts", "{}")),
    )


def _span(since: datetime, until: datetime) -> str:
    return f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"


def _run(id_: str) -> str:
    return f"{keys.TAG}:audit:{id_}"


def _items(id_: str) -> str:
    return f"{_run(id_)}:items"


def _turn(id_: str) -> str:
    return f"{_run(id_)}:turn"
