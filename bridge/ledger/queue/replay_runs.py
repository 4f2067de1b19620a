"""Jobs run again in phases, and no further once one fails: parked jobs (one, ten, a hundred, the rest), or
syncs of calls for which the rules were changed (five, a tenth, the rest).

A run is kept in Redis, so that it goes on whichever process ends: the clock takes its steps, and so does the
page that shows it. Each step is short, and repeating it changes nothing.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast, get_args

from bridge.boundary import boundary
from bridge.errors import Rejected
from bridge.ledger import keys, trail
from bridge.ledger.calls.record import moment
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.parked import Parked, run_again
from bridge.wording import counted

# going: its steps are taken; stopped: some failed again, a person decides; the others have ended.
State = Literal["going", "stopped", "done", "cancelled"]
STATES: tuple[State, ...] = get_args(State)

# What is run: jobs that are parked, or the syncs of calls, parked or not.
How = Literal["parked", "syncs"]

PHASES = (1, 10, 100)
FIRST_SYNCS = 5
REST_AT_ONCE = 500
MOST_JOBS = 20_000
MOST_RUNS = 20
_NAMED = 20
_STEP_WITHIN_S = 1.0
_TURN_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRun:
    """How a run stands.

    Args:
        about: which jobs, in words.
        sizes: of the phases; the rest comes in parts of `REST_AT_ONCE`.
        phase: how many phases were begun.
        done, failed, gone: of phases that have ended and of the one that runs; gone: not parked any more.
        open: of the phase that runs: queued, and not ended.
        left: not queued so far.
        failed_names: some of those that failed again.
    """

    id: str
    who: str
    about: str
    state: State
    started_at: datetime
    ended_at: datetime | None
    total: int
    phase: int
    done: int
    failed: int
    gone: int
    open: int
    left: int
    failed_names: tuple[str, ...]
    how: How = "parked"
    sizes: tuple[int, ...] = PHASES

    @property
    def has_ended(self) -> bool:
        return self.state in ("done", "cancelled")

    @property
    def next_phase(self) -> int:
        """How many jobs come next."""
        return min(self.left, self.size_of(self.phase))

    def size_of(self, phase: int) -> int:
        return self.sizes[phase] if phase < len(self.sizes) else REST_AT_ONCE


def start(ledger: Ledger, jobs: Sequence[Parked], *, who: str, about: str) -> ReplayRun:
    """Begin a run with the jobs that wait longest first; its first job is queued at once.

    Raises:
        Rejected: there is nothing to run.
    """
    if not jobs:
        raise Rejected("None of these jobs is parked any more; there is nothing to run.")
    names = [job.name for job in jobs[:MOST_JOBS]]
    return _start(ledger, names, how="parked", sizes=PHASES, who=who, about=about)


def start_syncs(ledger: Ledger, calls: Sequence[str], *, who: str, about: str) -> ReplayRun:
    """Begin a run of the syncs of these calls (keys of records), as backfill: a few, a tenth, then the rest.
    A sync changes what the rules in force want otherwise; what people changed stays.

    Raises:
        Rejected: there is nothing to run, or too much for one run.
    """
    if not calls:
        raise Rejected("There is no call to bring up to date.")
    if len(calls) > MOST_JOBS:
        raise Rejected(f"These are {len(calls):,} calls, one run takes {MOST_JOBS:,}: choose a shorter time.")
    sizes = (FIRST_SYNCS, max(1, len(calls) // 10))
    names = [keys.job("sync", call) for call in calls]
    return _start(ledger, names, how="syncs", sizes=sizes, who=who, about=about)


def _start(
    ledger: Ledger, names: Sequence[str], *, how: How, sizes: Sequence[int], who: str, about: str
) -> ReplayRun:
    id_ = secrets.token_hex(6)
    now, total = str(ledger.now_ms()), str(len(names))
    told: dict[Any, Any] = {"who": who, "about": about, "state": "going", "started_at": now, "total": total}
    told |= {"how": how, "sizes": json.dumps(sizes)}
    with boundary("replay_runs.start"):
        pipe = ledger.redis.pipeline()
        pipe.hset(_run(id_), mapping=told)
        pipe.rpush(_left(id_), *names)
        for name in (_run(id_), _left(id_)):
            pipe.expire(name, ledger.keep_for.events_s)
        pipe.lpush(keys.REPLAYS, id_)
        pipe.lrange(keys.REPLAYS, MOST_RUNS, -1)
        pipe.ltrim(keys.REPLAYS, 0, MOST_RUNS - 1)
        old = cast(list[str], pipe.execute()[-2])
    _remove(ledger, old)
    trail.leave(ledger, who=who, what="replay begun" if how == "parked" else "syncs begun", more=about)
    return step(ledger, id_)


def runs(ledger: Ledger) -> list[ReplayRun]:
    """The newest runs, newest first."""
    with boundary("replay_runs.ids"):
        ids = cast(list[str], ledger.redis.lrange(keys.REPLAYS, 0, -1))
    found = (_read(ledger, id_) for id_ in ids)
    return [run for run in found if run is not None]


def find(ledger: Ledger, id_: str) -> ReplayRun:
    """Raises Rejected where there is none."""
    run = _read(ledger, id_)
    if run is None:
        raise Rejected("There is no such run, or it was long ago.")
    return run


def step_all(ledger: Ledger) -> int:
    """Take a step of each run that goes on; how many do."""
    going = [run.id for run in runs(ledger) if run.state == "going"]
    for id_ in going:
        step(ledger, id_)
    return len(going)


def step(ledger: Ledger, id_: str) -> ReplayRun:
    """See how the phase stands; where all of it ended well, queue the next. One at a time does it."""
    turn = f"{_run(id_)}:turn"
    if find(ledger, id_).state == "going" and ledger.take_turn(turn, id_, for_ms=_TURN_MS):
        try:
            _advance(ledger, find(ledger, id_))
        finally:
            with boundary("replay_runs.end_turn"):
                ledger.redis.delete(turn)
    return find(ledger, id_)


def cancel(ledger: Ledger, id_: str, *, who: str) -> ReplayRun:
    """Queue no more of it. What is queued already runs."""
    if not (run := find(ledger, id_)).has_ended:
        _save(ledger, id_, state="cancelled", ended_at=ledger.now_ms())
        trail.leave(
            ledger, who=who, what=f"replay cancelled: {counted(run.left, 'job')} left", more=run.about
        )
    return find(ledger, id_)


def go_on(ledger: Ledger, id_: str, *, who: str) -> ReplayRun:
    """After some failed again: queue the next phase all the same."""
    if (run := find(ledger, id_)).state == "stopped":
        _save(ledger, id_, state="going", ended_at="")
        trail.leave(ledger, who=who, what=f"replay goes on: {counted(run.left, 'job')} left", more=run.about)
    return step(ledger, id_)


def _advance(ledger: Ledger, run: ReplayRun) -> None:
    names = _list(ledger, _phase(run.id))
    if names:
        began_ms = int(_fields(ledger, run.id)["phase_at"])
        if run.how == "syncs":
            if not _queue_syncs(ledger, run, names):
                return
        else:
            names = _queue(ledger, run, names, began_ms)
        now = _look(ledger, names, began_ms)
        _save(ledger, run.id, **{f"phase_{what}": len(found) for what, found in now.items()})
        if now["open"] or (now["parked"] and run.how == "parked"):
            return
        _end_phase(ledger, run, now)
        if now["failed"]:
            _save(ledger, run.id, state="stopped")
            return
    if not _begin_phase(ledger, run):
        _save(ledger, run.id, state="done", ended_at=ledger.now_ms())


def _begin_phase(ledger: Ledger, run: ReplayRun) -> bool:
    """Queue the next jobs; false where none is left."""
    size = run.size_of(run.phase)
    while True:
        with boundary("replay_runs.next"):
            names = cast(list[str], ledger.redis.lrange(_left(run.id), 0, size - 1))
        if not names:
            return False
        began_ms = ledger.now_ms() + 1
        chosen = names
        if run.how == "parked":
            chosen = [job.name for job in _look(ledger, names, began_ms)["parked"]]
        with boundary("replay_runs.begin_phase"):
            pipe = ledger.redis.pipeline()
            pipe.ltrim(_left(run.id), len(names), -1)
            pipe.hincrby(_run(run.id), "gone", len(names) - len(chosen))
            if chosen:
                pipe.delete(_phase(run.id))
                pipe.rpush(_phase(run.id), *chosen)
                pipe.expire(_phase(run.id), ledger.keep_for.events_s)
                now: dict[Any, Any] = {
                    "phase": run.phase + 1,
                    "phase_at": began_ms,
                    "phase_open": len(chosen),
                    "phase_queued": 0,
                }
                pipe.hset(_run(run.id), mapping=now)
            pipe.execute()
        if chosen and run.how == "parked":
            _queue(ledger, run, chosen, began_ms)
        elif chosen:
            _queue_syncs(ledger, run, chosen)
        if chosen:
            return True


def _queue_syncs(ledger: Ledger, run: ReplayRun, names: Sequence[str]) -> bool:
    """Make the syncs of a phase due; whether all of them are. After a crash some run twice, to no effect."""
    ends = time.monotonic() + _STEP_WITHIN_S
    at = int(_fields(ledger, run.id).get("phase_queued") or 0)
    begun = at
    while at < len(names) and time.monotonic() < ends:
        kind, key = keys.split_job(names[at])
        if not ledger.replay(kind, key, who=run.who, lane=Lane.BACKFILL, if_parked=True):
            # Not parked: it need not look whether Kustomer still has what is on record.
            ledger.schedule(kind, key, in_ms=0, lane=Lane.BACKFILL)
        at += 1
    if at > begun:
        _save(ledger, run.id, phase_queued=at)
    return at == len(names)


def _queue(ledger: Ledger, run: ReplayRun, names: Sequence[str], began_ms: int) -> list[str]:
    """Queue those of a phase that are parked since before it; those of it that still count."""
    waiting = _look(ledger, names, began_ms)["parked"]
    again = run_again(ledger, waiting, who=run.who, within_s=_STEP_WITHIN_S)
    gone = [job.name for job in again.gone]
    if gone:
        with boundary("replay_runs.save"):
            pipe = ledger.redis.pipeline()
            for name in gone:
                pipe.lrem(_phase(run.id), 0, name)
            pipe.hincrby(_run(run.id), "gone", len(gone))
            pipe.execute()
    return [name for name in names if name not in gone]


def _look(ledger: Ledger, names: Sequence[str], began_ms: int) -> dict[str, list[Parked]]:
    """How jobs stand: still parked from before, open, done, or failed again."""
    ended: dict[str, list[Parked]] = {"parked": [], "open": [], "done": [], "failed": []}
    if not names:
        return ended
    with boundary("replay_runs.look"):
        pipe = ledger.redis.pipeline(transaction=False)
        pipe.hmget(keys.JOBS, names)
        for name in names:
            pipe.zscore(keys.PARKED, name)
        texts, *since = pipe.execute()
    for name, text, parked_ms in zip(names, texts, since, strict=True):
        job = json.loads(text) if text else {}
        if parked_ms is not None:
            state = "parked" if parked_ms < began_ms else "failed"
        else:
            state = "done" if not job else "failed" if job["attempts"] > 0 else "open"
        ended[state].append(_parked(name, job, parked_ms))
    return ended


def _parked(name: str, job: Mapping[str, object], since_ms: float | None) -> Parked:
    kind, key = keys.split_job(name)
    at = moment(since_ms)
    return Parked(
        name=name,
        kind=kind,
        key=key,
        lane=Lane(cast(int, job.get("lane", Lane.LIVE))),
        cause=cast("str | None", job.get("cause")),
        error=cast("str | None", job.get("error")),
        since=at.isoformat() if at else None,
    )


@boundary("replay_runs.end_phase")
def _end_phase(ledger: Ledger, run: ReplayRun, now: Mapping[str, Sequence[Parked]]) -> None:
    names = [*run.failed_names, *(job.name for job in now["failed"])][:_NAMED]
    pipe = ledger.redis.pipeline()
    pipe.hincrby(_run(run.id), "done", len(now["done"]))
    pipe.hincrby(_run(run.id), "failed", len(now["failed"]))
    pipe.hset(_run(run.id), mapping={"phase_done": 0, "phase_failed": 0, "phase_open": 0})
    pipe.delete(_phase(run.id), _failed(run.id))
    if names:
        pipe.rpush(_failed(run.id), *names)
        pipe.expire(_failed(run.id), ledger.keep_for.events_s)
    pipe.execute()


def _read(ledger: Ledger, id_: str) -> ReplayRun | None:
    fields = _fields(ledger, id_)
    if "state" not in fields:
        return None

    def number(name: str) -> int:
        return int(fields.get(name) or 0)

    with boundary("replay_runs.left"):
        left = ledger.redis.llen(_left(id_))
    return ReplayRun(
        id=id_,
        who=fields["who"],
        about=fields["about"],
        state=cast(State, fields["state"]),
        started_at=cast(datetime, moment(int(fields["started_at"]))),
        ended_at=moment(number("ended_at")) if number("ended_at") else None,
        total=number("total"),
        phase=number("phase"),
        done=number("done") + number("phase_done"),
        failed=number("failed") + number("phase_failed"),
        gone=number("gone"),
        open=number("phase_open"),
        left=left,
        failed_names=tuple(_list(ledger, _failed(id_))),
        how=cast(How, fields.get("how", "parked")),
        sizes=tuple(json.loads(fields.get("sizes", "null")) or PHASES),
    )


@boundary("replay_runs.fields")
def _fields(ledger: Ledger, id_: str) -> dict[str, str]:
    return cast(dict[str, str], ledger.redis.hgetall(_run(id_)))


@boundary("replay_runs.list")
def _list(ledger: Ledger, name: str) -> list[str]:
    return cast(list[str], ledger.redis.lrange(name, 0, -1))


@boundary("replay_runs.save")
def _save(ledger: Ledger, id_: str, **fields: object) -> None:
    ledger.redis.hset(_run(id_), mapping={name: str(value) for name, value in fields.items()})


def _remove(ledger: Ledger, ids: Iterable[str]) -> None:
    if names := [name for id_ in ids for name in (_run(id_), _left(id_), _phase(id_), _failed(id_))]:
        with boundary("replay_runs.remove"):
            ledger.redis.delete(*names)


def _run(id_: str) -> str:
    return f"{keys.TAG}:replay:{id_}"


# Names of jobs, which front/erasing.lua removes with their call.
def _left(id_: str) -> str:
    return f"{_run(id_)}:left"


def _phase(id_: str) -> str:
    return f"{_run(id_)}:phase"


def _failed(id_: str) -> str:
    return f"{_run(id_)}:failed"
