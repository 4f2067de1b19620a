"""The ledger: call records, and the work that is due. The only module that talks to Redis for the workers.

Every method that changes something is one Lua call (`lua/`, each file says what it guarantees), or a
few plain commands where nothing can go wrong between them.
"""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import redis

from bridge.boundary import boundary
from bridge.domain.webhook.events import Event, Held
from bridge.domain.webhook.values import read_call_id, read_uuid
from bridge.errors import Busy, LeaseLost
from bridge.ledger import keys, scripts
from bridge.ledger.calls.horizon import LedgerHorizon, ask_horizon
from bridge.ledger.calls.learning import (
    TOLD,
    Learnt,
    Retention,
    hold_delivery,
    learn_event,
    learn_observation,
)
from bridge.ledger.calls.record import Part, Record, record_of
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.calls.tombstones import forgotten_at, tombstone
from bridge.ledger.disk import Rewrite, rewrite_files
from bridge.ledger.facts import Facts, keep_facts, read_facts
from bridge.ledger.keys import LANE_NAMES, QUEUE_KEYS, Lane
from bridge.ledger.measures import Measured, Milestone, fields_of, milestones_for_script, read_measures
from bridge.ledger.memory import Memory
from bridge.ledger.processes import Heartbeat, Process, processes
from bridge.ledger.queue import kinds
from bridge.ledger.queue.by_kind import MOST_LOOKED_AT, QueueByKind, read_queue_by_kind
from bridge.ledger.queue.job_states import job_states
from bridge.ledger.sessions import Sessions

LEASE_MS = 10_000
MAX_DELIVERIES = 5
GIVE_UP_AFTER_MS = 24 * 3_600_000
# A job handed to a process that never claims it is due again after this.
HANDOVER_MS = 3_000
# Jobs plan at most a day ahead; what is planned for later was planned by a clock that was wrong.
LONGEST_PLAN_MS = 48 * 3_600_000
_LOCK_FORGOTTEN_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that is ours until its lease ends. `token` fences every write made under it."""

    name: str
    kind: str
    key: str
    token: str
    attempts: int
    now_ms: int
    lane: Lane
    # The number that the call is also known by, where its key is a uuid.
    number: str = ""


class DueJob(str):
    """The name of a job that was handed out, and for how long it was due before."""

    __slots__ = ("due_for_ms",)
    due_for_ms: int

    def __new__(cls, name: str, due_for_ms: int) -> DueJob:
        job = super().__new__(cls, name)
        job.due_for_ms = due_for_ms
        return job


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    due: int
    overdue: int
    waiting: int
    running: int
    oldest_due_s: float


class Ledger:
    """See the module. `client` must decode replies (`bridge.ledger.connect.connect` makes such a one)."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        keep: Retention | None = None,
        lease_ms: int = LEASE_MS,
        source: Callable[[str], str] = scripts.source,
    ) -> None:
        """Args: source: gives a script's text by its name; a test may set their clock."""
        self.redis = client
        self.keep_for = keep or Retention()
        self.lease_ms = lease_ms
        self.memory = Memory(client)
        self._scripts = {name: client.register_script(source(name)) for name in scripts.NAMES}

    def close(self) -> None:
        self.redis.close()

    def _run(self, script: str, names: list[str], *arguments: Any) -> Any:
        with boundary(f"ledger.{script}"):
            return self._scripts[script](keys=names, args=list(arguments))

    # -- learning

    def record_event(self, event: Event, body: Mapping[str, Any], *, assigned: bool = False) -> Learnt:
        """Keep an event under its call, once, and have the call's sync looked at.

        Args:
            assigned: it was held so far, and did not come just now.
        """
        names, arguments = learn_event(event, body, self.keep_for, assigned=assigned)
        status, key = self._run("learn", names, *arguments)
        return Learnt(status=status, key=key)

    def hold(self, held: Held, body: Mapping[str, Any]) -> bool:
        """Keep a delivery that cannot be tied to a call; whether it is a new one."""
        names, arguments = hold_delivery(held, body, self.keep_for)
        return bool(self._run("hold", names, *arguments))

    def record_observation(
        self,
        name: str,
        body: Mapping[str, Any],
        *,
        uuid: UUID | None,
        call_id: int | None,
        asked_at_ms: int,
        lane: Lane = Lane.LIVE,
        sure: int = TOLD,
    ) -> str:
        """Keep what was learnt by asking, join the two ids where both are known, have the sync looked at.

        Args:
            sure: `ASKED` where CloudTalk's answer says itself that the two ids are one call's.
        """
        names, arguments = learn_observation(
            uuid=uuid,
            call_id=call_id,
            name=name,
            body=body,
            asked_at_ms=asked_at_ms,
            lane=lane,
            keep=self.keep_for,
            sure=sure,
        )
        return cast(str, self._run("learn", names, *arguments)[1])

    # -- records

    def read(self, key: str, *, number: str = "") -> Record:
        """The record of a call, by its key or that of its other part; one that is not there is empty.

        Args:
            number: what the call is also known by, if that is known already: it saves a round trip.
        """
        (call, events, log), *others = self._parts(key, *([f"id:{number}"] if number else []))
        if not events and (at_ms := forgotten_at(self.redis, [key])[0]) is not None:
            return record_of(key, [(tombstone(at_ms), {}, [])])
        if key.startswith("id:") and (uuid := call.get(Field.UUID)):
            return record_of(f"uuid:{uuid}", [*self._parts(f"uuid:{uuid}"), (call, events, log)])
        told = call.get(Field.ID) if key.startswith("uuid:") else None
        if told is None:
            others = []
        elif told != number or not others:
            others = self._parts(f"id:{told}")
        return record_of(key, [(call, events, log), *others])

    @boundary("ledger.read")
    def _parts(self, *names: str) -> list[Part]:
        pipe = self.redis.pipeline(transaction=False)
        for key in names:
            pipe.hgetall(keys.record(key))
            pipe.hgetall(keys.events(key))
            pipe.lrange(keys.log(key), 0, -1)
        found = pipe.execute()
        return [(found[n], found[n + 1], found[n + 2]) for n in range(0, len(found), 3)]

    def find(self, text: str) -> Record | None:
        """The record that a person means: its key, a call's number, or a uuid in any case."""
        text = text.strip().lower()
        uuid, number = read_uuid(text.removeprefix("uuid:")), read_call_id(text.removeprefix("id:"))
        if uuid is None and number is None:
            return None
        record = self.read(keys.call_key(uuid=uuid, call_id=number))
        return record if record.exists else None

    def forget(self, record: Record) -> None:
        """Remove what is kept of a call, save that it was forgotten: a late event does not bring it back."""
        uuid = str(record.uuid) if record.uuid else ""
        number = str(record.call_id) if record.call_id else ""
        names = [*QUEUE_KEYS, keys.META, keys.FORGOTTEN]
        self._run("forget", names, uuid, number, secrets.token_hex(32))

    @boundary("ledger.forget_observation")
    def forget_observation(self, name: str, key: str) -> None:
        self.redis.hdel(keys.events(key), f"obs:{name}")

    @boundary("ledger.recent")
    def recent(self, *, up_to: float | None = None, skip: int = 0, count: int) -> list[tuple[str, float]]:
        """Keys of calls, the one last heard of first, with the score to go on from."""
        top = up_to if up_to is not None else "+inf"
        found = self.redis.zrevrangebyscore(keys.CALLS, top, "-inf", start=skip, num=count, withscores=True)
        return cast(list[tuple[str, float]], found)

    def reach(self) -> LedgerHorizon:
        """How far back this ledger remembers; see `bridge.ledger.calls.horizon`."""
        return ask_horizon(self.redis, outputs_s=self.keep_for.outputs_s, lease_ms=self.lease_ms)

    @boundary("ledger.link_secret")
    def link_secret(self) -> bytes:
        """What signs links to recordings; made once and kept."""
        self.redis.hsetnx(keys.META, "link_secret", secrets.token_hex(32))
        return bytes.fromhex(cast(str, self.redis.hget(keys.META, "link_secret")))

    @boundary("ledger.now_ms")
    def now_ms(self) -> int:
        seconds, micros = self.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    # -- jobs

    def schedule(
        self,
        kind: str,
        key: str,
        *,
        in_ms: int,
        lane: Lane = Lane.LIVE,
        told_at: datetime | None = None,
        under: Claim | None = None,
    ) -> None:
        """Have a job looked at then or sooner; an earlier plan stands.

        Args:
            told_at: when something was told that helps this job: parked before then, it is run again.
            under: the job whose run wishes this.

        Raises:
            LeaseLost: that run is overtaken; nothing was planned.
        """
        told_ms = "" if told_at is None else round(told_at.timestamp() * 1000)
        names = [*QUEUE_KEYS, keys.log(key)]
        wish = (keys.job(kind, key), int(lane), in_ms, told_ms, *_fence(under))
        if int(self._run("schedule", names, *wish)) < 0:
            raise LeaseLost(f"{keys.job(kind, key)}: wished by a run whose lease ran out")

    def cancel(self, kind: str, key: str, *, under: Claim | None = None) -> None:
        """Take back a job that nobody needs any more; one that runs or is parked stays.

        Args:
            under: the job whose run wishes this.

        Raises:
            LeaseLost: that run is overtaken; the job stays.
        """
        if int(self._run("cancel", [*QUEUE_KEYS], keys.job(kind, key), *_fence(under))) < 0:
            raise LeaseLost(f"{keys.job(kind, key)}: taken back by a run whose lease ran out")

    def dispatch(self, room: int) -> tuple[int, list[DueJob]]:
        """Names of due jobs for this process, best lane first; and ms until the next is due (-1: none)."""
        longest = max(self.lease_ms, LEASE_MS)
        wait, *found = self._run("dispatch", [*QUEUE_KEYS], room, HANDOVER_MS, longest, LONGEST_PLAN_MS)
        names = [DueJob(name, int(ms)) for name, ms in zip(found[::2], found[1::2], strict=True)]
        return int(wait), names

    def claim(self, kind: str, key: str) -> Claim | None:
        """Take a job, or None: not due any more, held by somebody, or parked."""
        name, token = keys.job(kind, key), secrets.token_hex(8)
        answer, *rest = self._run(
            "claim",
            [*QUEUE_KEYS, keys.record(key), keys.log(key)],
            name,
            token,
            self.lease_ms,
            MAX_DELIVERIES,
            kind,
        )
        if answer != "claimed":
            return None
        attempts, now_ms, lane, number = rest
        return Claim(
            name=name,
            kind=kind,
            key=key,
            token=token,
            attempts=int(attempts),
            now_ms=int(now_ms),
            lane=Lane(int(lane)),
            number=number,
        )

    def renew(self, claims: list[Claim]) -> list[str]:
        """Prolong leases; the names of those that are lost."""
        pairs = [text for claim in claims for text in (claim.name, claim.token)]
        return cast(list[str], self._run("renew", [*QUEUE_KEYS], self.lease_ms, *pairs)) if pairs else []

    def shorten(self, claims: list[Claim], *, to_ms: int) -> None:
        """Let leases end soon: this process stops, and what it sent last may still be on its way."""
        pairs = [text for claim in claims for text in (claim.name, claim.token)]
        if pairs:
            self._run("renew", [*QUEUE_KEYS], to_ms, *pairs)

    def complete(
        self,
        claim: Claim,
        *,
        again_in_ms: int | None = None,
        note: str = "",
        fields: Mapping[str, object] | None = None,
        counters: Sequence[str] = (),
        wait: tuple[Lane, float] | None = None,
    ) -> str:
        """End a job; due again by itself if something was learnt meanwhile, or at the time it asks for.

        Args:
            fields: of the call's record, written as the job ends; None deletes one. `synced_at` is set to the
                time of this, whatever it says here.
            counters: are counted up with it.
            wait: the lane of the job, and for how many seconds it was due before its run.

        Answers `done`, `again` or `lost`: then nothing was written.
        """
        wish = -1 if again_in_ms is None else again_in_ms
        names = [*QUEUE_KEYS, keys.record(claim.key), keys.log(claim.key), keys.COUNTS, keys.MEASURES]
        waited = "" if wait is None else " ".join(f"{name} {number}" for name, number in _job_wait(*wait))
        counted = (" ".join(counters), waited)
        told = (wish, note, claim.kind, self.keep_for.outputs_s, *counted, *_flat(fields or {}))
        return cast(str, self._run("complete", names, claim.name, claim.token, *told)[0])

    def reschedule(self, claim: Claim, *, in_ms: int, cause: str, error: str, failed: bool) -> str:
        """Try again later; `failed` counts it as an attempt. Answers `waiting`, `parked` or `lost`."""
        names = [*QUEUE_KEYS, keys.log(claim.key)]
        wait = (in_ms, cause, error, "1" if failed else "0", GIVE_UP_AFTER_MS)
        return cast(str, self._run("reschedule", names, claim.name, claim.token, *wait)[0])

    def pause(
        self, claim: Claim, *, service: str, why: str, look: str, look_in_ms: int, again_in_ms: int
    ) -> str:
        """Let a job wait for a connection, at which the job `look` looks.

        Answers `paused`, `waiting` (it is up again) or `lost`.
        """
        names = [*QUEUE_KEYS, keys.log(claim.key), keys.paused(service), keys.CONNECTIONS]
        wait = (service, why, look, look_in_ms, again_in_ms)
        return cast(str, self._run("pause", names, claim.name, claim.token, *wait)[0])

    def resume(self, service: str, *, most: int) -> int:
        """Make jobs due that wait for a service's connection; how many, at most so many at once."""
        names = [*QUEUE_KEYS, keys.paused(service), keys.CONNECTIONS]
        return int(self._run("resume", names, service, most))

    def park(self, claim: Claim, *, cause: str, error: str) -> str:
        """Give a job up, with its reason, for a person. Answers `parked` or `lost`."""
        names = [*QUEUE_KEYS, keys.log(claim.key)]
        return cast(str, self._run("park", names, claim.name, claim.token, cause, error)[0])

    def replay(
        self, kind: str, key: str, *, who: str, lane: Lane = Lane.LIVE, if_parked: bool = False
    ) -> bool:
        """Run a job again by hand; whether it is queued. Its sync looks before it writes.

        Args:
            if_parked: only if it is parked; else in any case, save for a call that was forgotten on request.
        """
        if forgotten_at(self.redis, [key])[0] is not None:
            return False
        names = [*QUEUE_KEYS, keys.record(key), keys.log(key)]
        wish = (keys.job(kind, key), int(lane), who, "1" if if_parked else "0")
        return bool(self._run("replay", names, *wish)[0] == "queued")

    def give_up(self, kind: str, key: str, *, why: str, line: str) -> str:
        """Park a planned job by hand. Answers `parked`, `running`, or `gone`: it is not planned.

        Args:
            line: for the trail (`bridge.ledger.trail`); kept only if it was parked.
        """
        names = [*QUEUE_KEYS, keys.log(key), keys.TRAIL]
        arguments = (why, line, keys.TRAIL_LINES, self.keep_for.outputs_s)
        return cast(str, self._run("give_up", names, keys.job(kind, key), *arguments)[0])

    def drop(self, kind: str, key: str, *, who: str, why: str, line: str) -> bool:
        """Take a parked job off the list for good; whether it was on it.

        Args:
            line: for the trail (`bridge.ledger.trail`); kept only if it was.
        """
        told = f"dropped by {who}: {why}" if kind in kinds.WRITING else ""
        # What the leading part of a joined record says counts.
        names = [*QUEUE_KEYS, keys.record(self.read(key).key), keys.log(key), keys.TRAIL]
        arguments = (f"{why} ({who})", told, line, keys.TRAIL_LINES, self.keep_for.outputs_s)
        return bool(self._run("drop", names, keys.job(kind, key), *arguments))

    def keep(
        self,
        claim: Claim,
        fields: Mapping[str, object],
        *,
        note: str = "",
        milestones: Sequence[Milestone] = (),
    ) -> bool:
        """Write fields of the call's record under the lease; None deletes one.

        Args:
            milestones: counted with it, each once a call.

        Returns:
            Whether something was learned about the call since this run began: the job will run again for it.

        Raises:
            LeaseLost: the job is somebody else's by now; nothing was written.
        """
        names = [*QUEUE_KEYS, keys.record(claim.key), keys.log(claim.key), keys.COUNTS, keys.MEASURES]
        counted = milestones_for_script(milestones, "")
        told = (claim.name, claim.token, self.keep_for.outputs_s, note, counted, *_flat(fields))
        answer = self._run("keep", names, *told)
        if not answer:
            raise LeaseLost(f"{claim.name}: the lease ran out, another worker may hold it")
        return int(answer) > 1

    def job_states(self, *own: str) -> list[dict[str, Any]]:
        """The jobs of one call, by the keys of its records; see `bridge.ledger.queue.job_states`."""
        return self.job_states_of([own])[0]

    def job_states_of(self, calls: Sequence[Sequence[str]]) -> list[list[dict[str, Any]]]:
        """The jobs of many calls, by the keys of the records of each."""
        return job_states(self.redis, calls)

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
            for name, amount in _job_wait(*wait):
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

    # -- one writer per caller

    @contextmanager
    def lock(
        self, claim: Claim, name: str, *, busy: str = "another call of this customer is being written"
    ) -> Iterator[None]:
        """Held over processes, for as long as the claim is.

        Raises:
            Busy: another job has it; come back shortly.
        """
        key = f"{keys.TAG}:lock:{name}"
        if not self._run("lock", [*QUEUE_KEYS, key], claim.name, claim.token, _LOCK_FORGOTTEN_MS):
            pause = random.uniform(0.2, 0.6)  # noqa: S311
            raise Busy(busy, retry_after_s=pause)
        try:
            yield
        finally:
            self._run("unlock", [key], f"{claim.name} {claim.token}")

    def rewrite_files(self) -> Rewrite:
        """Have Redis write its files anew; see `bridge.ledger.disk`."""
        return rewrite_files(self.redis)

    # -- processes

    @contextmanager
    def wakeups(self, channel: str = keys.WAKE) -> Iterator[Callable[[float], bool]]:
        """Hears when something became due; the function that it gives waits so many seconds for that."""
        with (
            boundary("broker.listen"),
            self.redis.pubsub(ignore_subscribe_messages=True) as heard,  # type: ignore[no-untyped-call]
        ):
            heard.subscribe(channel)
            yield lambda timeout_s: bool(heard.get_message(timeout=timeout_s))

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

    @boundary("ledger.tidy")
    def tidy(self) -> None:
        """Forget the list entries of calls whose records have expired."""
        oldest = self.now_ms() - self.keep_for.outputs_s * 1000
        self.redis.zremrangebyscore(keys.CALLS, "-inf", oldest)
        self.redis.zremrangebyscore(keys.FORGOTTEN, "-inf", oldest)


def _fence(claim: Claim | None) -> tuple[str, str]:
    return ("", "") if claim is None else (claim.name, claim.token)


def _job_wait(lane: Lane, seconds: float) -> list[tuple[str, int]]:
    """What to add to the histogram of waiting times: field and number."""
    bucket, total, ms = fields_of("job_wait", seconds, LANE_NAMES[lane])
    return [(bucket, 1), (total, ms)]


def _flat(fields: Mapping[str, object]) -> list[str]:
    """Names and texts in turn, as scripts take them; an empty text deletes a field."""
    flat: list[str] = []
    for name, value in fields.items():
        flat += [name, "" if value is None else value if isinstance(value, str) else json.dumps(value)]
    return flat
