"""The chaos run in its short form, and that its checker finds what it is there to find."""

from __future__ import annotations

import argparse
import copy
import os
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.chaos.checking import Held, check
from tests.chaos.days import Day, Delivery, Expected, make_day
from tests.chaos.faults import schedule
from tests.chaos.options import Said, Text, add_texts, read_options, rules_of
from tests.chaos.report import write_report
from tests.chaos.run import run
from tests.chaos.sending import DayClock, Sender
from tests.chaos.wires import ROUGH, Wire, tcp

SEED = 7


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_minute_of_calls_survives_everything_that_can_break(tmp_path: Path) -> None:
    least = {"process": 20, "redis": 2}
    options = read_options(os.environ.get("CHAOS_OPTIONS", ""))
    outcome = run(tmp_path, seed=SEED, duration_s=60, calls_per_s=15, least_kills=least, options=options)
    sys.stderr.write(write_report(outcome, tmp_path / "report.md"))

    assert outcome.failures == []
    # A run that did less would show less.
    assert len(outcome.day.calls) >= 900
    assert len(outcome.taken) >= 4_500
    assert outcome.process_kills >= 20
    assert outcome.kills["redis"] >= 2
    assert outcome.replies_lost >= 0.01 * outcome.replies > 0
    assert {"redis"} < outcome.wires.keys()
    # Nine of ten replies are Redis': each wire by itself, too. Of CloudTalk's few a last one may yet be due.
    assert min(outcome.share_lost.values()) > 0, outcome.wires
    assert all(wire["lose"] or wire["cut"] for wire in outcome.wires.values()), outcome.wires
    kinds = {one.kind for one in outcome.struck}
    assert kinds >= {"kill", "freeze", "pause", "clock step"}
    # Which faults of the services a minute's requests meet depends on the machine.
    assert kinds & {"429", "500", "503"}, kinds


@pytest.mark.skipif(os.environ.get("CHAOS_RUN") != "whole", reason="two minutes of load: CHAOS_RUN=whole")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_day_of_calls_survives_everything_that_can_break(tmp_path: Path) -> None:
    least = {"process": 50, "redis": 3}
    outcome = run(tmp_path, seed=SEED, duration_s=120, calls_per_s=17.5, least_kills=least)
    sys.stderr.write(write_report(outcome, tmp_path / "report.md"))

    assert outcome.failures == []
    # A run that did less would show less.
    assert len(outcome.day.calls) >= 2_000
    assert len(outcome.taken) >= 10_000
    assert outcome.process_kills >= 50
    assert outcome.kills["redis"] >= 3
    assert outcome.replies_lost >= 0.01 * outcome.replies > 0
    assert {"redis"} < outcome.wires.keys()
    # Nine of ten replies are Redis': each wire by itself, too. Of CloudTalk's few a last one may yet be due.
    assert min(outcome.share_lost.values()) >= 0.005, outcome.wires
    assert all(wire["lose"] and wire["cut"] for wire in outcome.wires.values()), outcome.wires
    assert {one.kind for one in outcome.struck} >= {
        "kill",
        "freeze",
        "pause",
        "clock step",
        "429",
        "503",
        "stall",
    }


def test_the_same_seed_makes_the_same_day_and_the_same_faults() -> None:
    began = datetime(2026, 11, 20, 9, tzinfo=UTC)

    one, other = (make_day(SEED, began=began, duration_s=20, calls_per_s=10) for _ in range(2))

    assert one == other
    assert one != make_day(SEED + 1, began=began, duration_s=20, calls_per_s=10)
    assert schedule(SEED, duration_s=60, workers=2) == schedule(SEED, duration_s=60, workers=2)


def test_a_day_cut_short_ends_with_whole_calls() -> None:
    day = make_day(SEED, began=datetime(2026, 11, 20, 9, tzinfo=UTC), duration_s=20, calls_per_s=10)
    sender = Sender(day.deliveries, port=1, token="", clock=DayClock())

    assert sender.curtail() == 0
    day.curtail(50)

    assert sender.done
    assert len(day.calls) == 50
    assert {one.call for one in day.deliveries} == set(range(50))


def _fates(seed: int, count: int) -> Counter[str]:
    wire = Wire("cloudtalk", tcp(1), seed=seed)
    wire.weather(ROUGH)
    return Counter(wire.fate("replies") for _ in range(count))


def test_of_few_replies_some_get_lost_whatever_the_seed() -> None:
    for seed in range(100):
        fates = _fates(seed, 300)
        assert fates["lose"] >= 2 and fates["cut"] >= 1, seed


def test_of_many_replies_as_many_get_lost_as_are_meant_to() -> None:
    fates = _fates(SEED, 10_000)

    assert fates == {"lose": 80, "cut": 40, "hang": 2, "delay": 100, "pass": 9_778}


PHONE = "+441632960304"
CALL = Expected(
    uuid=UUID("11111111-2222-4333-8444-555555555500"),
    call_id=5_000_000_000,
    kind="recorded",
    written=True,
    phone=PHONE,
    headline="Answered incoming call",
    status="done",
    direction="in",
    lines=("Agent: Bo Sample",),
    never=("Still to come",),
    attachment="call-5000000000.mp3",
)
KEY = f"cloudtalk:call:{CALL.uuid}"
AT = "2026-11-20T09:00:00.000Z"


def _day() -> Day:
    result = Delivery(at_s=0.0, call=0, trigger="call-ended", body={}, ends=True)
    return Day(calls=[CALL], deliveries=[result], names={PHONE: {"Ada Example"}})


def _linked(kind: str, id_: str) -> dict[str, Any]:
    return {"data": {"type": kind, "id": id_}}


def _good() -> dict[str, list[dict[str, Any]]]:
    """What Kustomer should hold of the one call."""
    note: dict[str, Any] = {
        "id": "n1",
        "attributes": {
            "externalId": f"{KEY}:note",
            "body": "Answered incoming call\n\nAgent: Bo Sample",
            "createdAt": AT,
            "updatedAt": AT,
        },
        "relationships": {
            "conversation": _linked("conversation", "v1"),
            "attachments": {"data": [{"type": "attachment", "id": "a1"}]},
        },
    }
    return {
        "customers": [{"id": "c1", "attributes": {"name": "Ada Example", "phones": [{"phone": PHONE}]}}],
        "conversations": [
            {
                "id": "v1",
                "attributes": {"externalId": KEY, "status": "done", "direction": "in"},
                "relationships": {"customer": _linked("customer", "c1")},
            }
        ],
        "notes": [note],
        "attachments": [
            {
                "id": "a1",
                "attributes": {"name": CALL.attachment},
                "uploaded": True,
                "size": 5,
                "referenced": True,
            }
        ],
    }


def _findings(held: dict[str, list[dict[str, Any]]]) -> str:
    return "\n".join(check(_day(), Held(**held)).findings)


def test_the_checker_finds_nothing_where_all_is_well() -> None:
    assert _findings(_good()) == ""


TEXT = Text(call=0, id="msg-1", phone=PHONE, direction="in", text="Where is parcel 1?")
STARTED = datetime(2026, 11, 20, 8, 58, tzinfo=UTC)


def _good_with_options() -> dict[str, list[dict[str, Any]]]:
    held = _good()
    voice = {
        "externalId": f"{KEY}:voice",
        "channel": "voice",
        "direction": "in",
        "sentAt": STARTED.isoformat(),
    }
    sms = {
        "externalId": f"cloudtalk:message:{TEXT.id}",
        "channel": "sms",
        "direction": "in",
        "preview": TEXT.text,
    }
    files = {"data": [{"type": "attachment", "id": one} for one in ("a1", "a2")]}
    (note,) = held["notes"]
    note["attributes"]["body"] += (
        "\nCloudTalk call: 5000000000\n\nSummary\n> Summary of it.\n> [0:01] Bo: Talk of it."
    )
    note["relationships"]["attachments"] = files
    transcript = held["attachments"][0] | {"id": "a2", "attributes": {"name": "transcript-5000000000.txt"}}
    held["attachments"].append(transcript)
    of_call = {"conversation": _linked("conversation", "v1"), "attachments": files}
    held["messages"] = [
        {"attributes": voice, "relationships": of_call},
        {"attributes": sms, "relationships": {"conversation": _linked("conversation", "v2")}},
    ]
    thread = copy.deepcopy(held["conversations"][0]) | {"id": "v2"}
    thread["attributes"]["externalId"] = f"cloudtalk:messages:{PHONE}"
    held["conversations"].append(thread)
    return held


def _findings_with_options(held: dict[str, list[dict[str, Any]]]) -> str:
    day = _day()
    number = "CloudTalk call: 5000000000"
    day.calls, day.texts = [replace(CALL, started_at=STARTED, lines=(*CALL.lines, number))], [TEXT]
    day.said = {0: Said(summary="Summary of it.", spoken="Talk of it.", file="transcript-5000000000.txt")}
    return "\n".join(check(day, Held(**held), {"voice", "messages"}).findings)


def test_the_checker_finds_nothing_where_all_is_well_with_the_options() -> None:
    assert _findings_with_options(_good_with_options()) == ""


def test_the_checker_finds_insights_that_are_missing_or_said_twice() -> None:
    gone, twice, no_file = _good_with_options(), _good_with_options(), _good_with_options()
    gone["notes"][0]["attributes"]["body"] = gone["notes"][0]["attributes"]["body"].replace(
        "Summary of it", ""
    )
    twice["notes"][0]["attributes"]["body"] += "\n> Bo: Talk of it."
    no_file["notes"][0]["relationships"]["attachments"]["data"].pop()

    assert "says 0 times 'Summary of it.'" in _findings_with_options(gone)
    assert "says 2 times 'Talk of it.'" in _findings_with_options(twice)
    assert "or its transcript" in _findings_with_options(no_file)


@pytest.mark.parametrize("number", [0, 1])
def test_the_checker_finds_messages_that_are_lost_twice_or_elsewhere(number: int) -> None:
    gone, twice, elsewhere = _good_with_options(), _good_with_options(), _good_with_options()
    del gone["messages"][number]
    twice["messages"].append(copy.deepcopy(twice["messages"][number]))
    elsewhere["messages"][number]["relationships"]["conversation"] = _linked("conversation", "v9")

    assert "lost: " in _findings_with_options(gone)
    assert "duplicated: 2 messages with the key" in _findings_with_options(twice)
    assert "in another conversation" in _findings_with_options(elsewhere)


def test_the_options_of_a_run_are_a_rules_file_and_texts_that_are_told() -> None:
    began = datetime(2026, 11, 20, 9, tzinfo=UTC)
    day = make_day(SEED, began=began, duration_s=20, calls_per_s=10)

    add_texts(day, seed=SEED, began=began, duration_s=20)

    assert 40 <= len(day.texts) <= 60
    told = {one.body["message_id"] for one in day.deliveries if one.trigger.startswith("message-")}
    assert told == {text.id for text in day.texts}
    assert read_options("all") == {"voice", "insights", "messages"}
    assert '[write]\nas = "both"' in rules_of(read_options("voice,messages"))
    with pytest.raises(argparse.ArgumentTypeError, match="voice,insights,messages"):
        read_options("voise")


@pytest.mark.parametrize("what", ["customers", "conversations", "notes"])
def test_the_checker_finds_what_is_lost_and_what_is_there_twice(what: str) -> None:
    gone, twice = _good(), _good()
    gone[what] = []
    twice[what].append(copy.deepcopy(twice[what][0]) | {"id": "another"})

    assert "lost: " in _findings(gone)
    assert "duplicated: " in _findings(twice)


def test_the_checker_finds_a_recording_that_is_missing_empty_or_attached_twice() -> None:
    missing, empty, twice, wrong = _good(), _good(), _good(), _good()
    missing["notes"][0]["relationships"]["attachments"] = {"data": []}
    empty["attachments"][0]["size"] = 0
    twice["notes"][0]["relationships"]["attachments"]["data"] *= 2
    wrong["attachments"][0]["attributes"]["name"] = "call-1.mp3"

    assert "recording is not attached" in _findings(missing)
    assert "attachment is empty" in _findings(empty)
    assert "2 attachments at its note" in _findings(twice)
    assert "call-1.mp3" in _findings(wrong)


@pytest.mark.parametrize(
    ("what", "field", "value", "found"),
    [
        ("conversations", "status", "open", "status is open, not done"),
        ("conversations", "direction", "out", "direction is out, not in"),
        ("customers", "phones", [{"phone": "+441632960999"}], "another customer's"),
        ("customers", "name", "Di Madeup", "is called 'Di Madeup'"),
        ("notes", "body", "Missed incoming call\n\nAgent: Bo Sample", "says 'Missed incoming call'"),
        ("notes", "body", "Answered incoming call\n\nAgent: Cy Fictional", "lacks 'Agent: Bo Sample'"),
        ("notes", "body", "Answered incoming call\n\nAgent: Bo Sample\nStill to come: x", "Still to come"),
        ("notes", "externalId", "cloudtalk:call:other:note", "a note of no call"),
    ],
)
def test_the_checker_finds_what_is_wrong(what: str, field: str, value: object, found: str) -> None:
    held = _good()
    held[what][0]["attributes"][field] = value

    assert found in _findings(held)
