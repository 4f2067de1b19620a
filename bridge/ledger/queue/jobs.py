"""The jobs of calls: planned, handed out, claimed, ended, parked; and writes under a claim."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from bridge import tracing
from bridge.errors import Busy, LeaseLost
from bridge.ledger import keys
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.calls.record_parts import parts_of, record_of
from bridge.ledger.calls.records import Records
from bridge.ledger.calls.tombstones import forgotten_at
from bridge.ledger.keys import QUEUE_KEYS, Lane
from bridge.ledger.measures import Milestone, job_wait, milestones_for_script
from bridge.ledger.queue import kinds
from bridge.ledger.queue.claims import Claim, DueJob
from bridge.ledger.queue.job_states import job_states
from bridge.ledger.scripted import LONGEST_LEASE_MS
from bridge.ledger.sharing import flush

MAX_DELIVERIES = 5
# Before the run that follows one, two, ... deliveries without an end; half of it to one and a half. In all
# longer than most outages that kill workers, which are not to use up the deliveries of jobs that run then.
PAUSES_MS = (0, 5_000, 30_000, 240_000)
# So often a run without an end of a worker that lives is not counted; beyond that the job breaks something.
MOST_HANDED_BACK = 50
# Of a job that is not parked: it ends by itself once it is useless.
_NEVER = 1_000_000
GIVE_UP_AFTER_MS = 24 * 3_600_000
# A job handed to a process that never claims it is due again after this.
HANDOVER_MS = 3_000
# Jobs plan at most a day ahead; what is planned for later was planned by a clock that was wrong.
LONGEST_PLAN_MS = 48 * 3_600_000
_LOCK_FORGOTTEN_MS = 3_600_000
_PAUSES = " ".join(map(str, PAUSES_MS))


class Jobs(Records):
    """The part of the ledger that is a queue."""

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
            told_at: when news came that helps this job: parked before then, it is run again.
            under: the job whose run wishes this.

        Raises:
            LeaseLost: that run is overtaken; nothing was planned.
        """
        told_ms = "" if told_at is None else round(told_at.timestamp() * 1000)
        names = [*QUEUE_KEYS, keys.log(key)]
        wish = (keys.job(kind, key), int(lane), in_ms, told_ms, *_fence(under))
        self._run_later(
            "schedule", names, *wish, then=_unless_lost(f"{keys.job(kind, key)}: wished by a run whose")
        )

    def cancel(self, kind: str, key: str, *, under: Claim | None = None) -> None:
        """Take back a job that nobody needs any more; one that runs or is parked stays.

        Args:
            under: the job whose run wishes this.

        Raises:
            LeaseLost: that run is overtaken; the job stays.
        """
        name = keys.job(kind, key)
        then = _unless_lost(f"{name}: taken back by a run whose")
        self._run_later("cancel", [*QUEUE_KEYS], name, *_fence(under), then=then)

    def dispatch(self, room: int) -> tuple[int, list[DueJob]]:
        """Names of due jobs for this process, best lane first; and ms until the next is due (-1: none)."""
        longest = max(self.lease_ms, LONGEST_LEASE_MS)
        wait, *found = self._run("dispatch", [*QUEUE_KEYS], room, HANDOVER_MS, longest, LONGEST_PLAN_MS)
        names = [DueJob(name, int(ms)) for name, ms in zip(found[::2], found[1::2], strict=True)]
        return int(wait), names

    def claim(self, kind: str, key: str, *, token: str | None = None) -> Claim | None:
        """Take a job, or None: not due any more, held by somebody, parked, or not yet to run again.

        Args:
            token: `new_token()`, for who has to know it though the answer may get lost.
        """
        name, token = keys.job(kind, key), token or new_token()
        answer, *rest = self._run(
            "claim",
            [*QUEUE_KEYS, keys.record(key), keys.log(key)],
            name,
            token,
            self.lease_ms,
            MAX_DELIVERIES if kind not in kinds.KINDS or kinds.KINDS[kind].parks else _NEVER,
            kind,
            "1" if kind in kinds.OF_CALLS else "",
            _PAUSES,
        )
        if answer != "claimed":
            return None
        attempts, now_ms, lane, number, trace, *record = rest
        return Claim(
            name=name,
            kind=kind,
            key=key,
            token=token,
            attempts=int(attempts),
            now_ms=int(now_ms),
            lane=Lane(int(lane)),
            number=number,
            trace=trace,
            parts=tuple(parts_of(record)),
        )

    def read_claimed(self, claim: Claim) -> Record:
        """The record of the claimed job's call as it was at the claim, without its log.

        What was learned since then makes the job run again.
        """
        leading = claim.parts[0] if claim.parts else None
        if leading is None or not leading[1]:
            # Perhaps a call that was forgotten, or one whose events have expired.
            return self.read(claim.key, number=claim.number)
        if claim.key.startswith("id:") and leading[0].get(Field.UUID):
            return self.read(claim.key)
        names = [claim.key, f"id:{claim.number}"]
        return record_of(
            claim.key,
            [self.opened_part(name, part) for name, part in zip(names, claim.parts, strict=False)],
        )

    def renew(self, claims: list[Claim]) -> list[str]:
        """Prolong leases; the names of those that are lost."""
        pairs = [text for claim in claims for text in (claim.name, claim.token)]
        return cast(list[str], self._run("renew", [*QUEUE_KEYS], self.lease_ms, *pairs)) if pairs else []

    def hand_back(self, runs: Collection[tuple[str, str]], *, in_ms: int | None = None) -> None:
        """Let go of jobs whose runs had no end, by a worker that lives: these deliveries do not count.

        Args:
            runs: name of the job and token of its claim. What another has by now it keeps.
            in_ms: when the others are due again, as what was sent last may still be on its way; None: when
                their leases end.
        """
        pairs = [text for run in runs for text in run]
        if pairs:
            wait = -1 if in_ms is None else in_ms
            self._run("hand_back", [*QUEUE_KEYS], wait, MOST_HANDED_BACK, *pairs)

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
        waited = "" if wait is None else " ".join(f"{name} {number}" for name, number in job_wait(*wait))
        counted = (" ".join(counters), waited)
        flat = self.texts.fields(claim.key, flat_fields(fields or {}))
        values = (wish, note, claim.kind, self.keep_for.outputs_s, *counted, *flat)
        return cast(str, self._run("complete", names, claim.name, claim.token, *values)[0])

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

    def park(self, claim: Claim, *, cause: str, error: str, unless_learnt: bool = False) -> str:
        """Give a job up, with its reason, for a person. Answers `parked`, `again` or `lost`.

        Args:
            unless_learnt: what was learnt since it was claimed may settle it: then it is due again instead.
        """
        names = [*QUEUE_KEYS, keys.log(claim.key)]
        wish = (cause, error, "1" if unless_learnt else "0")
        return cast(str, self._run("park", names, claim.name, claim.token, *wish)[0])

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

    def assign(self, key: str, customer_id: str, *, number: str, who: str, line: str) -> bool:
        """Keep which customer a person chose for a call and its number; run its sync. False: no such call.

        Args:
            number: the customer's, as the calls of it are looked up; empty: it is not remembered.
            line: for the trail (`bridge.ledger.trail`).
        """
        names = [*QUEUE_KEYS, keys.record(key), keys.log(key), keys.TRAIL, keys.ASSIGNED, keys.ASSIGNED_AT]
        name = self.texts.number(number)
        wish = (keys.job("sync", key), int(Lane.LIVE), customer_id, name, keys.MOST_ASSIGNED, who)
        return bool(self._run("assign", names, *wish, line, keys.TRAIL_LINES, self.keep_for.outputs_s))

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
        values = f"dropped by {who}: {why}" if kind in kinds.NEEDED else ""
        # What the leading part of a joined record says counts.
        names = [*QUEUE_KEYS, keys.record(self.read(key).key), keys.log(key), keys.TRAIL]
        arguments = (f"{why} ({who})", values, line, keys.TRAIL_LINES, self.keep_for.outputs_s)
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
        learned: list[bool] = []
        self.keep_soon(claim, fields, note=note, milestones=milestones, then=learned.append)
        flush()
        return learned[0]

    def keep_soon(
        self,
        claim: Claim,
        fields: Mapping[str, object],
        *,
        note: str = "",
        milestones: Sequence[Milestone] = (),
        then: Callable[[bool], None] | None = None,
    ) -> None:
        """As `keep`, with the next command of this run, which raises LeaseLost in its place.

        Args:
            then: is given what `keep` returns.
        """

        def answered(answer: Any) -> None:
            if not answer:
                raise LeaseLost(f"{claim.name}: the lease ran out, another worker may hold it")
            if then is not None:
                then(int(answer) > 1)

        names = [*QUEUE_KEYS, keys.record(claim.key), keys.log(claim.key), keys.COUNTS, keys.MEASURES]
        counted = milestones_for_script(milestones, tracing.trace_id())
        flat = self.texts.fields(claim.key, flat_fields(fields))
        values = (claim.name, claim.token, self.keep_for.outputs_s, note, counted, *flat)
        self._run_later("keep", names, *values, then=answered)

    def run_for_job(self, script: str, names: list[str], claim: Claim, *arguments: object) -> Any:
        """Run a script that checks first whether the job is still ours."""
        return self._run(script, names, claim.name, claim.token, *arguments)

    def run_for_job_soon(
        self,
        script: str,
        names: list[str],
        claim: Claim,
        *arguments: object,
        then: Callable[[Any], None] | None = None,
    ) -> None:
        """The same with the next command of this run; `then` is given the answer."""
        self._run_later(script, names, claim.name, claim.token, *arguments, then=then)

    def job_states(self, *own: str) -> list[dict[str, Any]]:
        """The jobs of one call, by the keys of its records; see `bridge.ledger.queue.job_states`."""
        return self.job_states_of([own])[0]

    def job_states_of(self, calls: Sequence[Sequence[str]]) -> list[list[dict[str, Any]]]:
        """The jobs of many calls, by the keys of the records of each."""
        return job_states(self.redis, calls)

    # -- one writer per caller

    @contextmanager
    def lock(
        self, claim: Claim, name: str, *, busy: str = "another call of this customer is being written"
    ) -> Iterator[None]:
        """Held over processes, for as long as the claim is.

        Raises:
            Busy: another job has it; come back shortly. It is raised by the first command inside.
        """

        def answered(answer: Any) -> None:
            if not answer:
                pause = random.uniform(0.2, 0.6)  # noqa: S311
                raise Busy(busy, retry_after_s=pause)

        key = keys.lock(self.texts.name("lock", name))
        own = (claim.name, claim.token, _LOCK_FORGOTTEN_MS)
        self._run_later("lock", [*QUEUE_KEYS, key], *own, then=answered)
        try:
            yield
        finally:
            self._run_later("unlock", [key], f"{claim.name} {claim.token}")


def new_token() -> str:
    """Of one claim; nobody else has it."""
    return secrets.token_hex(8)


def _unless_lost(what: str) -> Callable[[Any], None]:
    """Raises LeaseLost where a script answers that its run is overtaken."""

    def answered(answer: Any) -> None:
        if int(answer) < 0:
            raise LeaseLost(f"{what} lease ran out")

    return answered


def _fence(claim: Claim | None) -> tuple[str, str]:
    return ("", "") if claim is None else (claim.name, claim.token)


def flat_fields(fields: Mapping[str, object]) -> list[str]:
    """Names and texts in turn, as scripts take them; an empty text deletes a field."""
    flat: list[str] = []
    for name, value in fields.items():
        flat += [name, "" if value is None else value if isinstance(value, str) else json.dumps(value)]
    return flat
