"""`callbridge held`: events without ids, listed and put to their call by a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.commands import main
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, Held, read_event
from bridge.errors import Rejected
from bridge.ledger import keys, trail
from bridge.ledger.calls import held as desk
from bridge.ledger.calls.held import match_held
from bridge.ledger.calls.learning import Learnt
from bridge.ledger.calls.recent_call_index import RecentCallIndex
from bridge.ledger.ledger import Ledger
from tests.commands.terminal import Terminal
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, UUID
from workers.clock_beat import Clock

KEY = f"uuid:{UUID}"
NAMELESS = {"external_number": "+441632960304", "contact_name": "Ada Maria Example"}


@pytest.fixture(autouse=True)
def here(redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_server.url)


def come(ledger: Ledger, trigger: str, body: dict[str, Any]) -> str:
    event = read_event(trigger, body, Rules())
    if isinstance(event, Held):
        ledger.hold(event, body)
    else:
        assert isinstance(event, Event)
        ledger.record_event(event, body)
    return event.fingerprint


def test_held_events_are_dropped_by_name_trigger_and_age_with_a_reason(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = come(ledger, "call-answered", NAMELESS)
    message = come(ledger, "message-received", {"text": "Hello"})
    old = come(ledger, "call-ended", NAMELESS)
    ledger.redis.zadd(keys.HELD_AT, {old: (datetime.now(UTC) - timedelta(days=8)).timestamp() * 1000})
    terminal = Terminal(monkeypatch)
    drop = ("held", "drop", "--reason", "a test", "--json")

    def left() -> set[str]:
        return {event.fingerprint for event in desk.all_events(ledger)}

    assert terminal.types(*drop, "--trigger", "message-received", "--dry-run").json["chosen"] == [message]
    assert left() == {one, message, old}
    assert terminal.types(*drop, "--trigger", "message-received").json["dropped"] == 1
    assert left() == {one, old}
    assert terminal.types(*drop, "--older-than", "7d").json["dropped"] == 1
    assert left() == {one}
    assert terminal.types(*drop, one[:8]).json["dropped"] == 1
    assert left() == set()
    assert [(line["who"], line["what"]) for line in trail.read(ledger)] == [
        (trail.person(), "dropped: 1 held event")
    ] * 3
    assert f"a test ({one})" == trail.read(ledger)[0]["more"]


def test_all_held_events_are_dropped_only_when_that_is_asked_for_and_confirmed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    come(ledger, "call-answered", NAMELESS)
    come(ledger, "call-started", NAMELESS)
    terminal = Terminal(monkeypatch)
    drop = ("held", "drop", "--reason", "a test")

    which = terminal.types(*drop)
    without_reason = terminal.types("held", "drop", "--all", "--yes")
    unasked = terminal.types(*drop, "--all")
    refused = terminal.types(*drop, "--all", given=b"n\n", on_screen=True)
    by_trigger = terminal.types(*drop, "--trigger", "no-such", "--json")

    assert (which.code, without_reason.code, unasked.code, refused.code) == (2, 2, 2, 130)
    assert "--all" in which.err and "--yes" in unasked.err
    assert by_trigger.json == {"chosen": [], "dropped": 0}
    assert ledger.held_count() == 2
    assert terminal.types(*drop, "--all", "--yes").code == 0
    assert ledger.held_count() == 0


def test_an_event_that_is_not_held_cannot_be_dropped(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    come(ledger, "call-answered", NAMELESS)

    assert Terminal(monkeypatch).types("held", "drop", "0000", "--reason", "a test").code == 1
    assert ledger.held_count() == 1


def test_held_events_are_listed_with_their_reason_and_a_masked_number(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    fingerprint = come(ledger, "call-answered", NAMELESS)

    assert main(["held", "ls"]) == 0

    out = capsys.readouterr().out
    assert fingerprint in out and "…304" in out and "no usable call_id" in out
    assert "960304" not in out
    assert main(["held", "show", fingerprint[:6], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["body"] == NAMELESS


def test_an_event_is_put_to_its_call_once(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    come(ledger, "call-ended", dict(ENDED))
    fingerprint = come(ledger, "call-answered", NAMELESS)

    assert main(["held", "assign", fingerprint[:6], UUID.upper(), "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["status"] == "accepted"
    record = ledger.read(KEY)
    assert [event.fingerprint for event in record.events].count(fingerprint) == 1
    assert record.call(Rules()).contact_name == "Ada Maria Example"
    assert ledger.held_count() == 0
    line = trail.read(ledger)[0]
    assert (line["what"], line["call"], line["who"]) == ("assigned: call-answered", KEY, trail.person())
    assert main(["held", "assign", fingerprint, UUID]) == 1


def test_what_speaks_of_no_call_is_not_put_to_one(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    come(ledger, "call-ended", dict(ENDED))
    fingerprint = come(ledger, "message-received", NAMELESS)

    assert main(["held", "assign", fingerprint, UUID]) == 1

    assert "belongs to no call" in capsys.readouterr().err
    assert (ledger.held_count(), ledger.other_count()) == (0, 1)


def test_an_unknown_call_and_an_ambiguous_fingerprint_are_said(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    fingerprint = come(ledger, "call-answered", NAMELESS)
    come(ledger, "call-answered", {**NAMELESS, "agent_id": "7"})

    assert main(["held", "assign", fingerprint, "12"]) == 1
    assert "No call found" in capsys.readouterr().err
    assert main(["held", "show", ""]) == 1
    assert "2 held events match" in capsys.readouterr().err


def test_a_signed_envelope_without_ids_is_put_to_its_call_too(ledger: Ledger) -> None:
    come(ledger, "call-ended", dict(ENDED))
    fingerprint = come(ledger, "", {"type": "call.answered", "data": {"contact_name": "Ada Maria Example"}})

    assert main(["held", "assign", fingerprint, UUID]) == 0

    assert ledger.read(KEY).call(Rules()).contact_name == "Ada Maria Example"


def just_now(**more: Any) -> dict[str, Any]:
    at = datetime.now(UTC)
    return {**ENDED, "started_at": at.isoformat(), "ended_at": at.isoformat(), **more}


@pytest.mark.parametrize("event_first", [True, False])
def test_the_clock_puts_an_event_to_the_one_call_that_fits(ledger: Ledger, event_first: bool) -> None:
    deliveries = [("call-answered", NAMELESS), ("call-ended", just_now())]
    for trigger, body in deliveries if event_first else reversed(deliveries):
        come(ledger, trigger, body)

    assert Clock(ledger).beat()

    assert ledger.held_count() == 0
    assert ledger.read(KEY).call(Rules()).contact_name == "Ada Maria Example"
    assert trail.read(ledger)[0]["who"] == "clock"


def test_where_two_calls_fit_it_stays_held_and_says_so(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    come(ledger, "call-answered", NAMELESS)
    come(ledger, "call-ended", just_now())
    come(ledger, "call-ended", just_now(call_id="78", call_uuid=None))

    assert Clock(ledger).beat()

    assert main(["held", "ls"]) == 0
    assert "2 calls match" in capsys.readouterr().out


TWO_FIT = "has no call id, and 2 calls match"


def call_of(
    ledger: Ledger, number: int, *, phone: str, started: timedelta, heard: timedelta | None = None
) -> str:
    """A call that started so long ago, last heard of so long ago; its key."""
    at = datetime.now(UTC) - started
    ids = {"call_id": str(number), "call_uuid": None, "external_number": phone}
    come(ledger, "call-ended", {**ENDED, **ids, "started_at": at.isoformat(), "ended_at": at.isoformat()})
    key = f"id:{number}"
    if heard is not None:
        ledger.redis.zadd(keys.CALLS, {key: (datetime.now(UTC) - heard).timestamp() * 1000})
    return key


def reasons(ledger: Ledger) -> list[str]:
    return [event.reason for event in desk.held_events(ledger)]


@pytest.mark.slow
def test_where_two_calls_fit_it_stays_held_however_many_others_come(ledger: Ledger) -> None:
    near = RecentCallIndex(ledger, Rules())
    for number, minutes in ((1, 20), (2, 10)):
        call_of(ledger, number, phone=NAMELESS["external_number"], started=timedelta(minutes=minutes))
    come(ledger, "call-answered", NAMELESS)
    match_held(ledger, Rules(), near)
    assert reasons(ledger) == [TWO_FIT]

    ledger.redis.zadd(keys.CALLS, {f"id:{number}": ledger.now_ms() for number in range(1000, 3000)})

    assert match_held(ledger, Rules(), near) == 0
    assert match_held(ledger, Rules()) == 0
    assert reasons(ledger) == [TWO_FIT]


def test_nothing_is_matched_before_all_calls_of_its_time_are_read(ledger: Ledger) -> None:
    phone = NAMELESS["external_number"]
    near = RecentCallIndex(ledger, Rules(), most=3)
    call_of(ledger, 1, phone=phone, started=timedelta(minutes=20), heard=timedelta(minutes=19))
    for number in range(2, 6):
        ago = timedelta(minutes=20 - number)
        call_of(ledger, number, phone=f"+44163296031{number}", started=ago, heard=ago)
    call_of(ledger, 6, phone=phone, started=timedelta(minutes=10), heard=timedelta(minutes=9))
    come(ledger, "call-answered", NAMELESS)
    (before,) = reasons(ledger)

    said = []
    for _ in range(3):
        assert match_held(ledger, Rules(), near) == 0
        said += reasons(ledger)

    assert said == [before, before, TWO_FIT]


def test_an_event_that_names_an_earlier_start_is_compared_with_the_calls_of_then(ledger: Ledger) -> None:
    phone, hours = NAMELESS["external_number"], timedelta(hours=8)
    call_of(ledger, 1, phone=phone, started=hours, heard=hours)
    # Of the same minutes, and heard of again just now.
    call_of(ledger, 2, phone=phone, started=hours - timedelta(seconds=60))
    started = datetime.now(UTC) - hours + timedelta(seconds=30)
    come(ledger, "call-answered", {**NAMELESS, "started_at": started.isoformat()})

    assert match_held(ledger, Rules()) == 0

    assert reasons(ledger) == [TWO_FIT]


def test_a_call_that_is_heard_of_by_a_clock_set_back_counts_too(ledger: Ledger) -> None:
    phone, near = NAMELESS["external_number"], RecentCallIndex(ledger, Rules())
    come(ledger, "call-answered", NAMELESS)
    match_held(ledger, Rules(), near)

    for number, seconds in ((1, 50), (2, 30)):
        ago = timedelta(seconds=seconds)
        call_of(ledger, number, phone=phone, started=ago, heard=ago)

    assert match_held(ledger, Rules(), near) == 0
    assert reasons(ledger) == [TWO_FIT]


def test_an_event_is_not_put_to_a_call_that_was_forgotten_and_stays_held(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    come(ledger, "call-ended", just_now())
    fingerprint = come(ledger, "call-answered", NAMELESS)
    ledger.forget(ledger.read(KEY))

    assert main(["held", "assign", fingerprint, UUID]) == 1

    said = capsys.readouterr().err
    assert "was forgotten on request" in said and "stays held" in said
    assert Clock(ledger).beat()
    assert ledger.held_count() == 1
    assert trail.read(ledger) == []


def test_an_event_is_not_lost_when_its_call_is_forgotten_while_it_is_put_there(ledger: Ledger) -> None:
    come(ledger, "call-ended", just_now())
    come(ledger, "call-answered", NAMELESS)
    record = ledger.read(KEY)
    ledger.forget(record)

    with pytest.raises(Rejected, match="forgotten"):
        desk.assign(ledger, next(desk.held_events(ledger)), record, Rules(), who="test")

    assert ledger.held_count() == 1


def test_a_call_forgotten_while_the_clock_looks_leaves_the_event_held_and_the_others_matched(
    ledger: Ledger,
) -> None:
    class InAnotherHand(Ledger):
        """Between what is read of a call and what is learnt under it, a person has it forgotten."""

        def record_event(self, event: Event, body: Mapping[str, Any], **more: Any) -> Learnt:
            if str(event.uuid) == UUID:
                self.forget(self.read(KEY))
            return super().record_event(event, body, **more)

    come(ledger, "call-ended", just_now())
    other = call_of(ledger, 2, phone="+441632960305", started=timedelta(minutes=1))
    come(ledger, "call-answered", NAMELESS)
    come(ledger, "call-answered", {**NAMELESS, "external_number": "+441632960305"})

    assert match_held(InAnotherHand(ledger.redis), Rules()) == 1

    assert ledger.held_count() == 1
    assert [line["call"] for line in trail.read(ledger)] == [other]


def test_messages_and_contacts_are_kept_apart_and_shown(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    come(ledger, "contact-updated", {"id": 5})
    fingerprint = come(ledger, "message-received", NAMELESS)

    assert main(["held", "ls"]) == 0
    out = capsys.readouterr().out
    assert "Nothing is held." in out and "2 messages or contact changes" in out
    assert main(["held", "ls", "--other", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [line["trigger"] for line in result["held"]] == ["contact-updated", "message-received"]
    assert result["other"] == 2
    assert main(["held", "show", fingerprint, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["body"] == NAMELESS


def test_messages_go_after_their_time_and_are_not_more_than_so_many(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MOST_OTHER", 3)
    for n in range(5):
        come(ledger, "message-received", {"text": f"m{n}"})
    assert len(list(desk.held_events(ledger, other=True))) == ledger.other_count() == 3

    long_ago = ledger.now_ms() - ledger.keep_for.events_s * 1000 - 1
    for event in desk.held_events(ledger, other=True):
        ledger.redis.zadd(keys.OTHER_AT, {event.fingerprint: long_ago})
    come(ledger, "message-received", {"text": "new"})

    assert [event.body["text"] for event in desk.held_events(ledger, other=True)] == ["new"]


def test_messages_that_an_earlier_version_held_are_set_apart(ledger: Ledger) -> None:
    value = {"trigger": "message-received", "reason": "belongs to no call", "body": json.dumps(NAMELESS)}
    ledger.redis.hset(keys.HELD, "f1", json.dumps(value))
    came_ms = ledger.now_ms() - 3 * 86_400_000
    ledger.redis.zadd(keys.HELD_AT, {"f1": came_ms})

    Clock(ledger).beat()

    assert (ledger.held_count(), ledger.other_count()) == (0, 1)
    (event,) = desk.held_events(ledger, other=True)
    assert (event.body, event.at) == (NAMELESS, datetime.fromtimestamp(came_ms / 1000, UTC))


class Counting(Ledger):
    """Counts what it asks Redis for by itself."""

    reads = 0

    def read(self, key: str, *, number: str = "") -> Any:
        self.reads += 1
        return super().read(key, number=number)


@pytest.mark.slow
def test_many_held_events_of_one_number_cost_little(ledger: Ledger) -> None:
    phone = NAMELESS["external_number"]
    for number in range(1, 101):
        call_of(ledger, number, phone=phone, started=timedelta(seconds=number))
    for n in range(700):
        come(ledger, "call-answered", {**NAMELESS, "notes": f"n{n}"})
    counting, near = Counting(ledger.redis), RecentCallIndex(ledger, Rules())
    before = int(ledger.redis.info("stats")["total_commands_processed"])

    for _ in range(3):
        assert match_held(counting, Rules(), near) == 0

    spent = int(ledger.redis.info("stats")["total_commands_processed"]) - before
    assert counting.reads == 0
    assert spent < 3000, "of which two for each event are to note why it is held"
    assert set(reasons(ledger)) == {desk.SEVERAL_FIT}


def test_all_held_events_get_their_turn(ledger: Ledger) -> None:
    for n in range(650):
        come(ledger, "call-answered", {"external_number": "+441632960999", "notes": f"n{n}"})
    come(ledger, "call-answered", NAMELESS)
    come(ledger, "call-ended", just_now())
    near = RecentCallIndex(ledger, Rules())

    assert [match_held(ledger, Rules(), near) for _ in range(3)] == [0, 0, 1]
    assert [match_held(ledger, Rules(), near) for _ in range(3)] == [0, 0, 0]


def test_matching_ends_in_time(ledger: Ledger) -> None:
    come(ledger, "call-answered", NAMELESS)
    come(ledger, "call-ended", just_now())

    assert match_held(ledger, Rules(), within_s=-1) == 0
    assert match_held(ledger, Rules()) == 1
