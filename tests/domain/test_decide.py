"""Facts about a call, and what a sync decides: a table that a support lead could read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from bridge.ledger.calls.horizon import LedgerHorizon
from bridge.ledger.calls.record import KeptEvent, Observation, Record, Written
from bridge.sync.decide import Later, Never, Write, decide, look_back

CALL = UUID("11111111-2222-4333-8444-555555555500")
END = datetime(2026, 3, 2, 9, 24, 51, tzinfo=UTC)
ENDED: Mapping[str, Any] = {
    "call_id": "1000000500",
    "call_uuid": str(CALL),
    "external_number": "+441632960304",
    "direction": "incoming",
    "talking_time": "97",
    "started_at": (END - timedelta(seconds=111)).isoformat(),
    "ended_at": END.isoformat(),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """`after_s`: seconds since the last webhook; `says`: a part of the reason."""

    trigger: str = "call-ended"
    body: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    observed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    after_s: float = 1
    then: type[Later] | type[Never] | type[Write]
    says: str = ""
    asks: str | None = None
    fetches: bool = False
    rules: Rules = field(default_factory=Rules)


def rule(then: Mapping[str, Any], **when: Any) -> Rules:
    return Rules(rules=(Rule(when=When(**when), then=then, number=2, line=14),))


COMPLETE = Rules(write="complete")
# Now is a minute after END.
JUST_ENDED = {"ended_at": (END + timedelta(seconds=59)).isoformat()}
AN_HOUR_AHEAD = {"ended_at": (END + timedelta(hours=1)).isoformat()}

CASES: Mapping[str, Case] = {
    "it has ended, and the webhook says everything": Case(then=Write),
    "it rings": Case(trigger="call-ringing", then=Later, says="the end of the call", asks="detail"),
    "the webhook leaves out the direction": Case(
        without=("direction",), then=Later, says="waiting for call details", asks="detail"
    ),
    "the same, 21 s later": Case(without=("direction",), after_s=21, then=Write, asks="detail"),
    "only the uuid is known": Case(
        without=("call_id", "direction"), then=Later, says="waiting for call details", asks="identify"
    ),
    "CloudTalk does not know the call": Case(
        without=("direction",), observed={"detail_gone": {}}, after_s=30, then=Write
    ),
    "colleagues talked": Case(body={"direction": "internal"}, then=Never, says="internal call"),
    "the caller withheld the number": Case(
        body={"external_number": "anonymous"}, then=Never, says="withheld"
    ),
    "a recording was announced": Case(
        more=("recording-uploaded",), then=Later, says="recording is pending", fetches=True
    ),
    "the same, 16 s later": Case(more=("recording-uploaded",), after_s=16, then=Write, fetches=True),
    "its recording was asked for before": Case(
        more=("recording-uploaded",), fields={"rec:asks": "1"}, then=Write
    ),
    "a rule that fits says not to write it": Case(
        rules=rule({"write": False}, max_talk_s=100), then=Never, says="rule 2 (line 14) says not to write it"
    ),
    "a rule that does not fit says so": Case(rules=rule({"write": False}, min_talk_s=100), then=Write),
    "a rule says not to, and it rings": Case(
        rules=rule({"write": False}), trigger="call-ringing", then=Later, says="the end", asks="detail"
    ),
    "a rule keeps the recordings of the line in CloudTalk": Case(
        rules=rule({"record": False}, direction=("incoming",)), more=("recording-uploaded",), then=Write
    ),
    "the rules wait for recordings, and the call may have one": Case(
        rules=COMPLETE, body=JUST_ENDED, then=Later, says="waits for the recording, at most 30 s"
    ),
    "the same, 60 s after its end": Case(rules=COMPLETE, then=Write),
    "the same, and CloudTalk's clock is an hour ahead": Case(
        rules=COMPLETE, body=AN_HOUR_AHEAD, after_s=31, then=Write
    ),
    "the same, and it was announced 16 s ago": Case(
        rules=COMPLETE,
        body=JUST_ENDED,
        more=("recording-uploaded",),
        after_s=16,
        then=Later,
        says="at most 30 s",
        fetches=True,
    ),
    "the same, and CloudTalk does not have it yet": Case(
        rules=COMPLETE,
        body=JUST_ENDED,
        more=("recording-uploaded",),
        fields={"rec:asks": "1"},
        then=Later,
        says="at most 30 s",
    ),
    "the same, and CloudTalk has it no more": Case(
        rules=COMPLETE,
        body=JUST_ENDED,
        more=("recording-uploaded",),
        observed={"recording_gone": {}},
        then=Write,
    ),
    "the rules wait for recordings, and nobody talked": Case(
        rules=COMPLETE, body={**JUST_ENDED, "talking_time": "0"}, then=Write
    ),
    "the rules wait for recordings, and nobody says how long they talked": Case(
        rules=COMPLETE,
        body=JUST_ENDED,
        without=("talking_time",),
        after_s=21,
        then=Later,
        says="at most 30 s",
        asks="detail",
    ),
    "the rules wait for recordings, and fetch none": Case(
        rules=replace(COMPLETE, record=False), body=JUST_ENDED, then=Write
    ),
    "the rules wait for recordings of long calls only": Case(
        rules=rule({"write": "complete"}, min_talk_s=100), body=JUST_ENDED, then=Write
    ),
    "a rule writes what withholds its number": Case(
        rules=rule({"write_withheld": True}, direction=("incoming",)),
        body={"external_number": "anonymous"},
        then=Write,
    ),
}


def record_of_case(case: Case, now: datetime) -> Record:
    at = now - timedelta(seconds=case.after_s)
    body = {name: value for name, value in {**ENDED, **case.body}.items() if name not in case.without}
    events = [(case.trigger, body)]
    events += [(trigger, {"call_id": "1000000500", "call_uuid": str(CALL)}) for trigger in case.more]
    return Record(
        key=f"uuid:{CALL}",
        uuid=CALL,
        call_id=None if "call_id" in case.without else 1000000500,
        events=tuple(
            KeptEvent(fingerprint=trigger, trigger=trigger, body=body, at=at, last_at=at, times=1)
            for trigger, body in events
        ),
        observations={
            name: Observation(name=name, body=body, asked_at=now, at=now)
            for name, body in case.observed.items()
        },
        fields=case.fields,
    )


@pytest.mark.parametrize("name", CASES)
def test_the_facts_lead_to_the_decision(name: str) -> None:
    case, now = CASES[name], END + timedelta(minutes=1)
    record, rules = record_of_case(case, now), case.rules

    decision = decide(record, record.call(rules), rules, now)

    assert type(decision.then) is case.then
    assert case.says in getattr(decision.then, "reason", "")
    assert (decision.question[0] if decision.question else None) == case.asks
    assert decision.fetch_recording == case.fetches


@pytest.mark.parametrize(
    ("caller", "wants", "then"), [(None, True, Write), ("known", False, Never), ("unknown", False, Write)]
)
def test_who_calls_is_looked_up_only_where_a_rule_depends_on_it(
    caller: str | None, wants: bool, then: type[Any]
) -> None:
    now, rules = END + timedelta(minutes=1), rule({"write": False}, caller="known")
    record = record_of_case(Case(fields={"caller": caller} if caller else {}, then=Write), now)

    decision = decide(record, record.call(rules), rules, now)

    assert (decision.wants_caller, type(decision.then)) == (wants, then)
    assert decide(record, record.call(rules), Rules(), now).wants_caller is False


def test_what_was_written_before_a_rule_kept_it_out_stays() -> None:
    now, rules = END + timedelta(minutes=1), rule({"write": False})
    record = replace(
        record_of_case(Case(then=Write), now), outputs={"conversation": Written(id="5f0e", sent={})}
    )

    then = decide(record, record.call(rules), rules, now).then

    assert isinstance(then, Never)
    assert then.reason == "rule 2 (line 14) says not to write it; what was written before stays"


def test_a_question_that_the_webhooks_answered_meanwhile_is_withdrawn() -> None:
    now, rules = END + timedelta(minutes=1), Rules()
    record = record_of_case(Case(fields={"asking": "detail"}, then=Write), now)

    assert decide(record, record.call(rules), rules, now).withdrawn == "detail"


WRITTEN_S = 100


@pytest.mark.parametrize(
    ("trigger", "changed_s", "since_s", "more", "settles_in_s"),
    [
        # Seconds ago; when it was written: 100 s ago.
        ("call-modified", (1,), None, {}, 2),
        ("call-modified", (4,), None, {}, None),  # quiet since
        ("call-modified", (9, 6, 2), None, {}, 1),
        ("call-modified", (14, 11, 8, 5, 2), None, {}, 1),  # 15 s after the first of them
        ("call-modified", (16, 1), None, {}, None),
        ("call-modified", (1,), 14, {}, 1),  # repeats of one webhook: the record says since when
        ("call-modified", (101,), None, {}, None),  # before it was written
        ("recording-uploaded", (1,), None, {}, None),
        ("call-modified", (1,), None, {"look": "1"}, None),  # a person asked for it
    ],
)
def test_changes_of_a_written_call_wait_until_no_more_follow(
    trigger: str,
    changed_s: tuple[int, ...],
    since_s: int | None,
    more: Mapping[str, str],
    settles_in_s: int | None,
) -> None:
    now, rules = END + timedelta(minutes=10), Rules()
    written = now - timedelta(seconds=WRITTEN_S)
    since = {} if since_s is None else {"changing_since": _ms(now - timedelta(seconds=since_s))}
    record = record_of_case(Case(then=Write, fields={"synced_at": _ms(written), **since, **more}), written)
    ago = [now - timedelta(seconds=s) for s in changed_s]
    changes = [
        KeptEvent(
            fingerprint=str(at), trigger=trigger, body={"call_uuid": str(CALL)}, at=at, last_at=at, times=1
        )
        for at in ago
    ]
    record = replace(record, events=(*record.events, *changes))

    decision = decide(record, record.call(rules), rules, now)

    changing = isinstance(decision.then, Later) and decision.then.changing
    until = now + timedelta(seconds=settles_in_s) if settles_in_s is not None else None
    assert (changing, decision.then.until if changing else None) == (until is not None, until)
    # Nothing is asked meanwhile; a recording is fetched as usual.
    assert decision.question is None or not changing
    assert decision.fetch_recording == (trigger == "recording-uploaded")


def _ms(at: datetime) -> str:
    return str(round(at.timestamp() * 1000))


@pytest.mark.parametrize(
    ("since", "rests_s", "note", "looks_first", "waits"),
    [
        (-3600, None, False, False, False),  # this ledger was there when the call ended
        (3600, None, False, True, False),  # it was made since
        (3600, 30, False, True, True),  # and Redis may have forgotten the lease of a worker
        (3600, 30, True, True, False),  # which does not matter once the note is on record
        (-3600, 30, False, False, False),
    ],
)
def test_a_call_from_before_this_ledger_is_looked_for_first(
    since: int, rests_s: int | None, note: bool, looks_first: bool, waits: bool
) -> None:
    now, rules = END + timedelta(minutes=1), Rules()
    record = record_of_case(Case(then=Write), now)
    if note:
        record = Record(
            key=record.key, events=record.events, outputs={"note": Written(id="5f0e", sent={}, created=True)}
        )
    reach = LedgerHorizon(
        since=END + timedelta(seconds=since),
        rests_until=None if rests_s is None else now + timedelta(seconds=rests_s),
    )

    horizon = look_back(record, record.call(rules), reach, now)

    assert (horizon.search_first, horizon.wait is not None) == (looks_first, waits)
