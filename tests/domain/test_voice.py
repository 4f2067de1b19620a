from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bridge.domain.call import Call
from bridge.domain.external_ids import object_id
from bridge.domain.outcome import Direction
from bridge.domain.phone import WITHHELD
from bridge.domain.policy import Plan, plan
from bridge.domain.recording import NO_RECORDING
from bridge.domain.rules.model import Rules
from tests.domain.given import ADA, CALL_ID, OUR_LINE, STARTED_AT, UUID_TEXT, call


def planned(some_call: Call, **rules: Any) -> Plan:
    want = plan(some_call, Rules(**rules), recording=NO_RECORDING)
    assert isinstance(want, Plan)
    return want


def talk(**more: Any) -> Call:
    known = {
        "direction": Direction.INCOMING,
        "internal": OUR_LINE,
        "started_at": STARTED_AT,
        "answered_at": STARTED_AT + timedelta(seconds=14),
        "ended_at": STARTED_AT + timedelta(seconds=111),
        "talk_seconds": 97,
        "wait_seconds": 14,
        "agent_name": "Bo Sample",
    }
    return call(**{**known, **more})


@pytest.mark.parametrize(
    ("written_as", "note", "voice"),
    [("note", True, False), ("voice_message", False, True), ("both", True, True)],
)
def test_a_call_is_written_as_the_rules_say(written_as: str, note: bool, voice: bool) -> None:
    want = planned(talk(), write_as=written_as)

    assert (want.note is not None, want.voice is not None) == (note, voice)


def test_the_message_has_the_facts_of_the_call() -> None:
    voice = planned(talk(), write_as="voice_message").voice

    assert voice is not None
    assert voice.external_id == f"cloudtalk:call:{UUID_TEXT}:voice"
    assert voice.id == object_id(voice.external_id)
    fields = voice.fields
    assert {name: fields[name] for name in ("channel", "app", "direction", "status", "sentAt")} == {
        "channel": "voice",
        "app": "cloudtalk-callbridge",
        "direction": "in",
        "status": "received",
        "sentAt": "2026-03-02T09:23:00.000Z",
    }
    assert "auto" not in fields
    assert fields["meta"] == {
        "from": ADA.text,
        "to": OUR_LINE.text,
        "placedAt": "2026-03-02T09:23:00.000Z",
        "answeredAt": "2026-03-02T09:23:14.000Z",
        "endedAt": "2026-03-02T09:24:51.000Z",
        "status": "answered",
        "waitSeconds": 14,
        "talkSeconds": 97,
        "agent": "Bo Sample",
        "agentId": "400101",
        "callId": str(CALL_ID),
        "callUuid": UUID_TEXT,
    }


@pytest.mark.parametrize(
    ("direction", "goes", "status"),
    [
        (Direction.INCOMING, "in", "received"),
        (None, "in", "received"),
        (Direction.OUTGOING, "out", "sent"),
        (Direction.INTERNAL, "out", "sent"),
    ],
)
def test_kustomer_knows_two_directions(direction: Direction | None, goes: str, status: str) -> None:
    voice = planned(talk(direction=direction), write_as="voice_message", write_internal=True).voice

    assert voice is not None
    assert (voice.direction, voice.fields["status"]) == (goes, status)
    ends = (voice.meta["from"], voice.meta["to"])
    assert ends == ((ADA.text, OUR_LINE.text) if goes == "in" else (OUR_LINE.text, ADA.text))


def test_what_nobody_knows_is_none_or_left_out() -> None:
    missed = talk(external=WITHHELD, answered_at=None, talk_seconds=0, wait_seconds=None, agent_name=None)

    voice = planned(missed, write_as="voice_message", write_withheld=True).voice

    assert voice is not None
    assert (voice.meta["from"], voice.meta["answeredAt"]) == (None, None)
    assert (voice.meta["talkSeconds"], voice.meta["status"]) == (0, "missed")
    assert not {"waitSeconds", "agent"} & voice.meta.keys()


def test_alone_it_says_all_and_beside_a_note_it_says_what_it_is() -> None:
    alone, beside = planned(talk(), write_as="voice_message"), planned(talk(), write_as="both")

    assert alone.voice is not None and beside.voice is not None and beside.note is not None
    assert alone.voice.preview == beside.note.body
    assert beside.voice.preview == "Call from Ada Example"


def test_automatic_ones_are_left_out_of_reporting() -> None:
    voice = planned(talk(), write_as="voice_message", auto=True).voice

    assert voice is not None
    assert voice.fields["auto"] is True
