"""The job protocol as a machine that hypothesis drives: the real Lua on a real Redis, with time as an input.

One function of the scripts is replaced, and nothing else: `now_ms()` of `lua/front/`, which here reads a key
that the machine sets. What the machine keeps beside is no second implementation. It remembers what a
worker or an operator knows (who took which job, until when its lease was told to last, what was learnt
and not yet seen by a run that ended) and holds the answers against the promises.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import UUID

import redis
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from bridge.domain.webhook.events import STAGE_OF, Event
from bridge.errors import LeaseLost
from bridge.ledger import keys
from bridge.ledger.calls.learning import ASKED, SIGNED, TOLD
from bridge.ledger.keys import QUEUE_KEYS, Lane, split_job
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim
from bridge.ledger.queue.jobs import GIVE_UP_AFTER_MS, HANDOVER_MS, MAX_DELIVERIES, MOST_HANDED_BACK
from bridge.ledger.scripted import LEASE_MS, LONGEST_LEASE_MS

NOW = f"{keys.TAG}:test:now"
_CLOCK = re.compile(r"local function now_ms\(\).*?\nend\n", re.DOTALL)
_MOST_STEPS = 5

TRIGGERS = sorted(STAGE_OF)
MOST_OF_A_TRIGGER = 25
UUIDS = ("11111111-2222-4333-8444-555555555501", "11111111-2222-4333-8444-555555555502")
NUMBERS = (1000000501, 1000000502)
PARTS = (*(f"uuid:{uuid}" for uuid in UUIDS), *(f"id:{number}" for number in NUMBERS))
NAMES = tuple(keys.job(kind, part) for kind in ("sync", "recording") for part in PARTS)
# What a run writes down that counts as a step on the way.
STEPS = ("out:note", "out:customer", "form:attachment")
PAUSES = [1, 1_000, 1_000, HANDOVER_MS, HANDOVER_MS + 1, LEASE_MS, LEASE_MS + 1, 400_000, 12 * 3_600_000]
START_MS = 1_790_000_000_000


def with_clock(text: str) -> str:
    """A script with the machine's clock in the place of the server's."""
    mine = f"local function now_ms() return tonumber(redis.call('GET', '{NOW}')) end\n"
    return _CLOCK.sub(lambda _: mine, text)


class Line(redis.Redis):
    """A connection that can lose the reply to a script: as redis-py does, it is then sent once more."""

    lose_next_reply = False
    # What the server said the first time to the last script that it ran.
    first: Any = None

    def execute_command(self, *args: Any, **options: Any) -> Any:
        answer = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        if args[0] != "EVALSHA":
            return answer
        self.first = answer
        if self.lose_next_reply:
            self.lose_next_reply = False
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        return answer


@dataclass(eq=False)
class Hold:
    """A claim in the hands of a worker, which may have forgotten the time."""

    claim: Claim
    # What its run sees, by number; None where its part has become part of another: it writes nothing then.
    sees: frozenset[int] | None


@dataclass
class Count:
    steps: int = 0
    examples: int = 0


class Protocol(RuleBasedStateMachine):
    """See the module. Subclassed with a line, the scripts' source and a count of steps."""

    line: Line
    source: Callable[[str], str]
    count: Count
    say: Callable[[str], None] = staticmethod(note)

    def __init__(self) -> None:
        super().__init__()
        self.now = START_MS
        self.line.lose_next_reply = False
        self.line.flushdb()
        self.ledger = Ledger(self.line, source=self.source)
        self.line.set(NOW, self.now)
        self.count.examples += 1
        self.messages: list[str] = []
        self.holds: list[Hold] = []
        # Who may write for a job, and until when nobody else may begin.
        self.holder: dict[str, Hold] = {}
        self.leased: dict[str, int] = {}
        self.was_set_back = False
        self.parked: set[str] = set()
        self.deliveries: dict[str, int] = {}
        # Whose runs without an end are counted; of the last one, until another begins.
        self.counted: dict[str, list[Hold]] = {}
        self.handed_back: Counter[str] = Counter()
        self.steps: dict[str, int] = {}
        self.failing: dict[str, int] = {}
        # Before this nothing may be claimed; where it is not known for sure, there is no entry.
        self.not_before: dict[str, int] = {}
        # What asked for another look while a job was held.
        self.news: dict[str, int] = {}
        self.number_of: dict[str, str] = {}
        self.uuid_of: dict[str, str] = {}
        # By the part under the number: how sure its tie to a uuid is, and whether CloudTalk is asked.
        self.sure: dict[str, int] = {}
        self.contested: set[str] = set()
        # Jobs of other records that the last thing learnt has looked at.
        self.looked_at: list[str] = []
        self.kept: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
        self.fields: set[tuple[str, str]] = set()
        self.learnt = 0
        # What was learnt and not seen by a run that ended: its number and the part it is kept in.
        self.open: dict[int, str] = {}

    # -- what the machine knows

    def is_leased(self, name: str) -> bool:
        return self.leased.get(name, 0) > self.now

    def forget_job(self, name: str) -> None:
        for known in (self.holder, self.leased, self.deliveries, self.steps, self.failing, self.not_before):
            known.pop(name, None)
        self.news.pop(name, None)
        self.counted.pop(name, None)
        self.handed_back.pop(name, None)
        self.parked.discard(name)

    def marked(self, name: str, at: int) -> None:
        """A job was asked to be looked at, at this time or sooner."""
        if name in self.parked:
            return
        if name in self.holder:
            self.news[name] = min(self.news.get(name, at), at)
        if self.is_leased(name):
            return
        if name in self.leased or name not in self.deliveries:
            # Its worker died, or it is new.
            if name in self.leased:
                self.not_before.pop(name, None)
            else:
                self.not_before[name] = at
                self.deliveries[name] = 0
        elif name not in self.failing and name in self.not_before:
            self.not_before[name] = min(self.not_before[name], at)

    def taken_over(self, name: str) -> None:
        """What another part's job left to be done is this one's, at a time that need not be known."""
        self.not_before.pop(name, None)
        self.deliveries.setdefault(name, 0)
        if name in self.holder:
            self.news[name] = 0

    def twin(self, name: str) -> str | None:
        """The job of the part that this one's record has taken in."""
        kind, key = split_job(name)
        number = self.number_of.get(key)
        return keys.job(kind, number) if number else None

    def visible(self, key: str) -> frozenset[int] | None:
        if key in self.uuid_of:
            return None
        parts = {key, self.number_of.get(key)}
        return frozenset(number for number, part in self.open.items() if part in parts)

    def step(self) -> None:
        self.count.steps += 1

    @initialize(moves=st.binary(min_size=600, max_size=1400))
    def a_busy_while(self, moves: bytes) -> None:
        """Many steps for one of hypothesis' own, whose cost is several times that of the real thing.

        Two bytes choose each: which rule, and with what.
        """
        for which, what in zip(moves[::2], moves[1::2], strict=False):
            name, wants, choices = MOVES[which % len(MOVES)]
            if wants is None or getattr(self, wants):
                chosen = choices[what % len(choices)]
                self.say(f"  {name}({chosen})")
                getattr(self, name)(**chosen)

    def hold(self, pick: int) -> Hold:
        return self.holds[pick % len(self.holds)]

    def must_answer(self, hold: Hold, *, lost: bool) -> None:
        """Fencing: whose job is another's by now is refused; who holds it is not."""
        name = hold.claim.name
        if self.holder.get(name) is not hold:
            assert lost, f"{name}: a worker that lost the job was let write"
        elif self.is_leased(name):
            assert not lost, f"{name}: the holder was refused"

    # -- what comes in

    @rule(
        call=st.integers(0, 1),
        way=st.sampled_from(["uuid", "id", "both", "both", "crossed"]),
        signed=st.sampled_from([False, False, True]),
    )
    def an_event_comes(self, call: int, way: str, signed: bool = False) -> None:
        self.record_event(
            UUIDS[call] if way != "id" else None,
            NUMBERS[1 - call if way == "crossed" else call] if way != "uuid" else None,
            Lane.LIVE,
            sure=SIGNED if signed else TOLD,
        )

    @rule(call=st.integers(0, 1), crossed=st.booleans())
    def cloudtalk_says_whose_number_it_is(self, call: int, crossed: bool) -> None:
        self.record_event(UUIDS[call], NUMBERS[1 - call if crossed else call], Lane.RECORDING, sure=ASKED)

    @rule(call=st.integers(0, 1), lane=st.sampled_from(list(Lane)))
    def something_is_learnt_by_asking(self, call: int, lane: Lane) -> None:
        self.record_event(None if call else UUIDS[0], NUMBERS[1] if call else None, lane)

    def record_event(self, uuid: str | None, number: int | None, lane: Lane, *, sure: int = TOLD) -> None:
        self.step()
        self.learnt += 1
        own_uuid, own_id = f"uuid:{uuid}" if uuid else None, f"id:{number}" if number else None
        start = self.now
        if own_uuid and own_id and self.are_one(own_uuid, own_id, sure):
            start = self.join(own_uuid, own_id)
        ids = {"uuid": UUID(uuid) if uuid else None, "call_id": number}
        if lane is Lane.LIVE:
            trigger = TRIGGERS[self.learnt % len(TRIGGERS)]
            event = Event(trigger=trigger, fingerprint=f"event-{self.learnt}", signed=sure == SIGNED, **ids)  # type: ignore[arg-type]
            key = self.ledger.record_event(event, {}).key
        else:
            trigger = name = f"seen-{self.learnt}"
            key = self.ledger.record_observation(name, {}, asked_at_ms=self.now, lane=lane, sure=sure, **ids)
        part = own_uuid or own_id
        assert part is not None
        assert key == self.uuid_of.get(part, part)
        self.kept[part][trigger] += 1
        self.open[self.learnt] = part
        for name in self.looked_at:
            self.marked(name, self.now)
            assert self.is_looked_at(name), f"{name}: its call is another one now, and it is not looked at"
        self.looked_at.clear()
        name = keys.job("sync", key)
        self.marked(name, start)
        if name not in self.parked:
            job = json.loads(self.line.hget(keys.JOBS, name) or "{}")
            assert job, f"{name}: nothing is due for what was learnt"
            assert job["lane"] <= lane, f"{name}: learnt in {lane.name}, but is in lane {job['lane']}"

    def is_looked_at(self, name: str) -> bool:
        """Whether a job is due now, or once more after this run; a parked or failing one keeps its time."""
        job = json.loads(self.line.hget(keys.JOBS, name) or "{}")
        if name in self.parked or job.get("attempts") or "again_at" in job:
            return True
        due = [self.line.zscore(lane, name) for lane in QUEUE_KEYS[: len(Lane)]]
        # A job that was handed back is due when its lease ends.
        soon = self.now if name in self.holder else max(self.now, self.leased.get(name, 0))
        return any(at is not None and at <= soon for at in due)

    def are_one(self, uuid: str, number: str, sure: int) -> bool:
        """Whether a pair of ids makes one record of two parts now; ties that are less sure make room."""
        of_uuid, of_number = self.number_of.get(uuid), self.uuid_of.get(number)
        if (of_uuid, of_number) == (number, uuid):
            self.sure[number] = max(sure, self.sure[number])
            if sure == ASKED:
                self.contested.discard(number)
            return False
        in_the_way = [tie for tie in ((uuid, of_uuid), (of_number, number)) if None not in tie]
        if any(self.sure[str(n)] >= sure for _, n in in_the_way):
            n, u = (number, of_number) if of_number is not None else (str(of_uuid), uuid)
            if sure >= self.sure[n] < ASKED and n not in self.contested:
                self.contested.add(n)
                if u != uuid:
                    self.looked_at.append(keys.job("sync", str(u)))
            return False
        for of, tied in in_the_way:
            del self.number_of[str(of)], self.uuid_of[str(tied)]
            self.looked_at.append(keys.job("sync", str(tied if of == uuid else of)))
        self.sure[number] = sure
        self.contested.discard(number)
        return True

    def join(self, uuid: str, number: str) -> int:
        """Two parts become one record; from when on its sync may be run."""
        self.number_of[uuid], self.uuid_of[number] = number, uuid
        ends = self.leased.get(keys.job("sync", number), 0)
        for kind in ("sync", "recording"):
            name = keys.job(kind, number)
            if not self.is_leased(name):
                self.forget_job(name)
            self.taken_over(keys.job(kind, uuid))
        return max(self.now, ends)

    @rule(
        name=st.sampled_from(NAMES),
        in_ms=st.sampled_from([0, 5_000, 60_000]),
        lane=st.sampled_from(list(Lane)),
    )
    def a_job_is_planned(self, name: str, in_ms: int, lane: Lane) -> None:
        self.step()
        self.ledger.schedule(*split_job(name), in_ms=in_ms, lane=lane)
        self.marked(name, self.now + in_ms)

    # -- what workers do

    @rule(room=st.sampled_from([1, 1, 2, 3, 8]))
    def jobs_are_handed_out(self, room: int) -> None:
        self.step()
        pipe = self.line.pipeline(transaction=False)
        for name in QUEUE_KEYS[:4]:
            pipe.zrangebyscore(name, "-inf", self.now)
        due = [name for lane in pipe.execute() for name in lane]

        self.ledger.dispatch(room)

        # The first answer: where it is lost, other jobs are handed out, and these again after a while.
        names = self.line.first[1::2]
        assert names == due[:room], "not the best lane first"
        assert not self.parked.intersection(names), "a parked job was handed out"
        self.messages += names

    @precondition(lambda self: self.messages)
    @rule(pick=st.integers(0, 7))
    def a_message_arrives(self, pick: int) -> None:
        self.take(self.messages.pop(pick % len(self.messages)))

    @rule(name=st.sampled_from(NAMES))
    def a_stale_message_arrives(self, name: str) -> None:
        self.take(name)

    def take(self, name: str) -> None:
        self.step()
        kind, key = split_job(name)
        claim = self.ledger.claim(kind, key)
        said = self.line.first[0]
        assert (claim is not None) == (said == "claimed"), f"{name}: {said}, then the reply was lost"
        if claim is None:
            if said == "parked" and name not in self.parked:
                delivered = self.deliveries.get(name, 0)
                assert delivered >= MAX_DELIVERIES, f"{name}: parked after {delivered} deliveries"
                self.park_known(name)
            return
        assert name not in self.parked, f"{name}: claimed while parked"
        assert not self.is_leased(name), f"{name}: claimed while another holds it"
        assert self.now >= self.not_before.get(name, 0), f"{name}: claimed before its time"
        twin = self.twin(name)
        if twin is not None:
            assert not self.is_leased(twin), f"{name}: claimed while {twin} is held"
            self.holder.pop(twin, None)
        self.deliveries[name] = self.deliveries.get(name, 0) + 1
        assert self.deliveries[name] <= MAX_DELIVERIES, f"{name}: delivered {self.deliveries[name]} times"
        self.not_before.pop(name, None)
        self.news.pop(name, None)
        self.leased[name] = self.now + LEASE_MS
        self.holder[name] = Hold(claim, self.visible(key))
        self.holds.append(self.holder[name])
        self.counted.setdefault(name, []).append(self.holder[name])

    @precondition(lambda self: self.holds)
    @rule(pick=st.integers(0, 7), name=st.sampled_from(["state", *STEPS]))
    def a_worker_writes_down(self, pick: int, name: str) -> None:
        self.step()
        hold = self.hold(pick)
        try:
            self.ledger.keep(hold.claim, {name: f'{{"id": "{self.count.steps}"}}'})
            lost = False
        except LeaseLost:
            lost = True
        self.must_answer(hold, lost=lost)
        job, field = hold.claim.name, (hold.claim.key, name)
        if lost:
            return
        is_step = name != "state" and field not in self.fields
        if is_step and self.deliveries.get(job, 0) > 1 and self.steps.get(job, 0) < _MOST_STEPS:
            self.deliveries[job] = 1
            self.counted[job] = [hold]
            self.steps[job] = self.steps.get(job, 0) + 1
        self.fields.add(field)

    @precondition(lambda self: self.holds)
    @rule(pick=st.integers(0, 7), again_in_ms=st.sampled_from([None, None, None, 0, 20_000]))
    def a_run_ends_well(self, pick: int, again_in_ms: int | None) -> None:
        self.step()
        hold = self.holds.pop(pick % len(self.holds))
        self.ledger.complete(hold.claim, again_in_ms=again_in_ms)
        lost = self.line.first[0] == "lost"
        self.must_answer(hold, lost=lost)
        if lost:
            return
        name, key = hold.claim.name, hold.claim.key
        if hold.claim.kind == "sync":
            for number in hold.sees or ():
                self.open.pop(number, None)
            left = self.visible(self.uuid_of.get(key, key))
            job = keys.job("sync", self.uuid_of.get(key, key))
            assert not left or self.line.hexists(keys.JOBS, job), f"{name}: ended, and news would be lost"
        wishes = [self.news.get(name), None if again_in_ms is None else self.now + again_in_ms]
        times = [at for at in wishes if at is not None]
        self.forget_job(name)
        if key in self.uuid_of:
            # What is left to do is the joined record's.
            other = keys.job(hold.claim.kind, self.uuid_of[key])
            if other not in self.failing:
                self.taken_over(other)
            assert self.line.hexists(keys.JOBS, other), f"{name}: nobody goes on with what is left of it"
        elif times:
            self.not_before[name], self.deliveries[name] = min(times), 0

    @precondition(lambda self: self.holds)
    @rule(pick=st.integers(0, 7), in_ms=st.sampled_from([1_000, 300_000]), failed=st.booleans())
    def a_run_fails(self, pick: int, in_ms: int, failed: bool) -> None:
        self.step()
        hold = self.holds.pop(pick % len(self.holds))
        self.ledger.reschedule(hold.claim, in_ms=in_ms, cause="Unavailable", error="down", failed=failed)
        said = self.line.first[0]
        self.must_answer(hold, lost=said == "lost")
        if said == "lost":
            return
        name = hold.claim.name
        failing = dict(self.failing)
        self.forget_job(name)
        self.deliveries[name] = 0
        if name in failing or failed:
            self.failing[name] = min(failing.get(name, self.now), self.now)
        given_up = failed and self.now - self.failing[name] >= GIVE_UP_AFTER_MS
        assert (said == "parked") == given_up, f"{name}: {said} after failing for a while"
        if given_up:
            self.park_known(name)
        else:
            self.not_before[name] = self.now + in_ms

    @precondition(lambda self: self.holds)
    @rule(pick=st.integers(0, 7))
    def a_run_finds_that_it_cannot_be_done(self, pick: int) -> None:
        self.step()
        hold = self.holds.pop(pick % len(self.holds))
        self.ledger.park(hold.claim, cause="Rejected", error="no")
        lost = self.line.first[0] == "lost"
        self.must_answer(hold, lost=lost)
        if not lost:
            self.park_known(hold.claim.name)

    def park_known(self, name: str) -> None:
        for known in (self.holder, self.leased, self.not_before, self.news):
            known.pop(name, None)
        self.parked.add(name)

    @precondition(lambda self: self.holds)
    @rule(pick=st.integers(0, 7))
    def a_worker_is_killed(self, pick: int) -> None:
        """Its lease stays; of one that is only frozen, what it knows stays too (as a hold nobody renews)."""
        self.step()
        self.holds.pop(pick % len(self.holds))

    @precondition(lambda self: self.holds)
    @rule(pick=st.integers(0, 7))
    def a_worker_renews(self, pick: int) -> None:
        self.step()
        hold = self.hold(pick)
        self.ledger.renew([hold.claim])
        lost = bool(self.line.first)
        self.must_answer(hold, lost=lost)
        if not lost:
            self.leased[hold.claim.name] = self.now + LEASE_MS

    @precondition(lambda self: self.holds)
    @rule(pick=st.integers(0, 7), in_ms=st.sampled_from([None, 3_000]))
    def a_worker_hands_back(self, pick: int, in_ms: int | None) -> None:
        """It lives, and its run had no end."""
        self.step()
        hold = self.holds.pop(pick % len(self.holds))
        name = hold.claim.name
        for _ in range(2):
            # However often it says so.
            self.ledger.hand_back([(name, hold.claim.token)], in_ms=in_ms)
        if hold in self.counted.get(name, []) and self.handed_back[name] < MOST_HANDED_BACK:
            self.counted[name].remove(hold)
            self.deliveries[name] -= 1
            self.handed_back[name] += 1
        if self.holder.get(name) is hold:
            del self.holder[name]
            if in_ms is not None:
                self.leased[name] = self.now + in_ms
        assert not self.may_write(hold), f"{name}: handed back, and may write"
        job = json.loads(self.line.hget(keys.JOBS, name) or "{}")
        if name in self.counted and name not in self.parked:
            assert job["deliveries"] == self.deliveries[name], f"{name}: handed back, and counted otherwise"

    def may_write(self, hold: Hold) -> bool:
        try:
            self.ledger.keep(hold.claim, {"state": "waiting"})
        except LeaseLost:
            return False
        return True

    # -- longer stories, which chance alone would seldom tell

    @rule(name=st.sampled_from(NAMES), gets_on=st.booleans())
    def a_job_kills_its_workers(self, name: str, gets_on: bool) -> None:
        self.a_job_is_planned(name, 0, Lane.LIVE)
        for _ in range(40 if gets_on else MAX_DELIVERIES + 1):
            self.time_passes(400_000)
            self.take(name)
            hold = self.holder.get(name)
            if hold is None or hold not in self.holds:
                break
            if gets_on:
                self.a_worker_writes_down(self.holds.index(hold), f"out:{self.count.steps}")
            self.holds.remove(hold)

    @rule(name=st.sampled_from(NAMES))
    def a_job_fails_for_a_day(self, name: str) -> None:
        self.a_job_is_planned(name, 0, Lane.BACKFILL)
        for _ in range(4):
            self.take(name)
            hold = self.holder.get(name)
            if hold is None or hold not in self.holds:
                break
            self.a_run_fails(self.holds.index(hold), 1_000, True)
            self.time_passes(PAUSES[-1])

    @rule(call=st.integers(0, 1))
    def a_frozen_worker_ends_late(self, call: int) -> None:
        """Nobody took the job meanwhile, so the end counts; but the run did not see what came last."""
        name = keys.job("sync", f"uuid:{UUIDS[call]}")
        self.a_job_is_planned(name, 0, Lane.LIVE)
        self.take(name)
        hold = self.holder.get(name)
        if hold in self.holds:
            self.time_passes(LEASE_MS + 1)
            self.record_event(UUIDS[call], None, Lane.LIVE)
            self.a_run_ends_well(self.holds.index(hold), None)

    @rule(call=st.integers(0, 1))
    def a_part_is_joined_while_its_job_runs(self, call: int) -> None:
        name = keys.job("recording", f"id:{NUMBERS[call]}")
        self.a_job_is_planned(name, 0, Lane.LIVE)
        self.take(name)
        hold = self.holder.get(name)
        self.an_event_comes(call, "both")
        if hold in self.holds:
            self.a_run_ends_well(self.holds.index(hold), None)

    @rule(name=st.sampled_from(NAMES))
    def a_worker_dies_and_the_clock_is_set_back(self, name: str) -> None:
        self.a_job_is_planned(name, 0, Lane.LIVE)
        self.take(name)
        self.holds.clear()
        self.the_clock_is_set_back(600_000)
        self.no_lease_outlives_its_worker()

    # -- people, the network, time

    @rule(name=st.sampled_from(NAMES))
    def a_person_runs_it_again(self, name: str) -> None:
        self.step()
        self.ledger.replay(*split_job(name), who="test")
        self.parked.discard(name)
        if self.is_leased(name):
            self.news[name] = min(self.news.get(name, self.now), self.now)
        else:
            self.forget_job(name)
            self.marked(name, self.now)

    @rule(name=st.sampled_from(NAMES))
    def a_person_runs_it_again_if_it_is_parked(self, name: str) -> None:
        self.step()
        was_parked = name in self.parked
        before = self.line.hget(keys.JOBS, name)
        self.ledger.replay(*split_job(name), who="test", if_parked=True)
        # The first answer: a repeat finds it queued already.
        queued = self.line.first[0] == "queued"
        assert queued == was_parked, f"{name}: parked {was_parked}, and run again {queued}"
        if queued:
            self.forget_job(name)
            self.marked(name, self.now)
        else:
            assert self.line.hget(keys.JOBS, name) == before, f"{name}: not parked, and changed all the same"

    @rule()
    def the_next_reply_is_lost(self) -> None:
        self.line.lose_next_reply = True

    @rule(ms=st.sampled_from(PAUSES))
    def time_passes(self, ms: int) -> None:
        self.step()
        self.set_clock(self.now + ms)

    @rule(ms=st.sampled_from([50, 30_000, 600_000]))
    def the_clock_is_set_back(self, ms: int) -> None:
        self.step()
        self.was_set_back = True
        self.set_clock(self.now - ms)
        # No lease is longer than the longest from now on; what was handed out may be claimed at any time.
        self.leased = {name: min(ends, self.now + LONGEST_LEASE_MS) for name, ends in self.leased.items()}
        self.not_before.clear()

    def set_clock(self, now: int) -> None:
        self.now = now
        self.line.set(NOW, now)

    # -- the end: everybody dies, then workers that live run what is left

    def no_lease_outlives_its_worker(self) -> None:
        self.ledger.dispatch(0)
        self.set_clock(self.now + (LONGEST_LEASE_MS if self.was_set_back else LEASE_MS))
        for lane in QUEUE_KEYS[4:8]:
            assert not self.line.zcount(lane, f"({self.now}", "+inf"), "a dead worker's lease lasts too long"

    def teardown(self) -> None:
        self.line.lose_next_reply = False
        self.no_lease_outlives_its_worker()
        started = self.now
        for _ in range(200):
            for name in self.ledger.parked():
                self.ledger.replay(*split_job(name), who="test")
            wait_ms, names = self.ledger.dispatch(100)
            for name in names:
                claim = self.ledger.claim(*split_job(name))
                if claim is not None:
                    sees = self.visible(claim.key)
                    if self.ledger.complete(claim) != "lost" and claim.kind == "sync":
                        for number in sees or ():
                            del self.open[number]
            if not names and wait_ms < 0:
                break
            self.set_clock(self.now + max(wait_ms, 1))
        assert not self.open, f"learnt, and never run: {self.open}"
        assert not self.line.hgetall(keys.JOBS), "jobs that nobody will ever run"
        assert self.now - started < 3_600_000, "it took too long"
        for part, triggers in self.kept.items():
            number = sum(min(MOST_OF_A_TRIGGER, came) for came in triggers.values())
            assert self.line.hlen(keys.events(part)) == number, f"{part}: events lost or doubled"


def _moves() -> list[tuple[str, str | None, list[dict[str, Any]]]]:
    """Rules with what they want to be there and all their arguments; the usual ones more than once."""
    picks = [{"pick": pick} for pick in range(8)]
    lanes, names = list(Lane), list(NAMES)
    table: list[tuple[int, str, str | None, list[dict[str, Any]]]] = [
        (
            3,
            "an_event_comes",
            None,
            _all(
                call=[0, 1], way=["uuid", "id", "both", "uuid", "id", "crossed"], signed=[False, False, True]
            ),
        ),
        (1, "cloudtalk_says_whose_number_it_is", None, _all(call=[0, 1], crossed=[False, True])),
        (1, "something_is_learnt_by_asking", None, _all(call=[0, 1], lane=lanes)),
        (1, "a_job_is_planned", None, _all(name=names, in_ms=[0, 5_000, 60_000], lane=lanes)),
        (6, "jobs_are_handed_out", None, _all(room=[1, 2, 8])),
        (7, "a_message_arrives", "messages", picks),
        (2, "a_stale_message_arrives", None, _all(name=names)),
        (3, "a_worker_writes_down", "holds", _all(pick=[*range(8)], name=["state", *STEPS])),
        (4, "a_run_ends_well", "holds", _all(pick=[*range(8)], again_in_ms=[None, None, 0, 20_000])),
        (1, "a_run_fails", "holds", _all(pick=[*range(8)], in_ms=[1_000, 300_000], failed=[True, False])),
        (1, "a_run_finds_that_it_cannot_be_done", "holds", picks),
        (1, "a_worker_is_killed", "holds", picks),
        (3, "a_worker_renews", "holds", picks),
        (1, "a_worker_hands_back", "holds", _all(pick=[*range(8)], in_ms=[None, 3_000])),
        (1, "a_person_runs_it_again", None, _all(name=names)),
        (1, "a_person_runs_it_again_if_it_is_parked", None, _all(name=names)),
        (2, "the_next_reply_is_lost", None, [{}]),
        (5, "time_passes", None, _all(ms=PAUSES)),
        (1, "a_job_kills_its_workers", None, _all(name=names, gets_on=[True, False, False])),
        (1, "a_part_is_joined_while_its_job_runs", None, _all(call=[0, 1])),
        (1, "a_frozen_worker_ends_late", None, _all(call=[0, 1])),
        (1, "a_worker_dies_and_the_clock_is_set_back", None, _all(name=names)),
        (1, "a_job_fails_for_a_day", None, _all(name=names)),
    ]
    return [(name, wants, choices) for weight, name, wants, choices in table for _ in range(weight)]


def _all(**choices: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(choices, chosen, strict=True)) for chosen in product(*choices.values())]


MOVES = _moves()
