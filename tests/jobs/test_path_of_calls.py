"""The path in a note, and an AI voice agent's webhook, from webhooks to Kustomer; and what they cost."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bridge.domain.outcome import Direction
from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.support import Bridge, ended

CALL_ID, UUID = 1000000500, "11111111-2222-4333-8444-555555555500"
ASKED = {"call_id": str(CALL_ID), "voice_agent_name": "Nova", "order_number": 1234}
WITH_PATH = Rules(note_path=True)
OUT_OF_HOURS = Rule(when=When(out_of_hours=True), then={"tags": ("late",)})
OUTGOING = Rule(when=When(out_of_hours=True, direction=(Direction.OUTGOING,)), then={"tags": ("late",)})


def add_call(sandbox: RunningSandbox, **more: Any) -> None:
    sandbox.cloudtalk.add_call(**{"id": CALL_ID, "uuid": UUID, "talking_time": 97, **more})


def note_of(sandbox: RunningSandbox) -> str:
    *_, note = one_of_each(sandbox)
    return str(note["attributes"]["body"])


def test_the_note_tells_how_the_call_went(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = Bridge(redis_client, sandbox, WITH_PATH)
    add_call(sandbox, menu="2", rang=[400102], out_of_office=True, agent_id=400101)

    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    body = note_of(sandbox)
    path = body[body.index("Out of hours") : body.index("\nCloudTalk call")]
    assert [line.partition(" (")[0] for line in path.splitlines()] == [
        "Out of hours",
        "Menu: 2",
        "Queue Queue10: waited 10 s",
        "Rang: Cy Fictional",
    ]


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        (Rules(), 0),
        (WITH_PATH, 1),
        (Rules(rules=(OUT_OF_HOURS,)), 1),
        (Rules(rules=(OUTGOING,)), 0),
    ],
)
def test_the_path_costs_one_request_of_cloudtalk_and_none_of_kustomer(
    redis_client: redis.Redis, sandbox: RunningSandbox, rules: Rules, asked: int
) -> None:
    bridge = Bridge(redis_client, sandbox, rules)
    add_call(sandbox, out_of_office=True)
    for service in (sandbox.cloudtalk, sandbox.kustomer):
        service.forget_requests()

    bridge.receive("call-ended", ended())
    bridge.run_jobs_for(60, step_s=10)

    assert len(sandbox.cloudtalk.requests) == asked
    assert len(sandbox.kustomer.requests) == 4


def test_a_rule_about_the_path_holds_once_it_is_known(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(rules=(OUT_OF_HOURS,)))
    add_call(sandbox, out_of_office=True)

    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    _, conversation, _ = one_of_each(sandbox)
    assert conversation["tagNames"] == ["late"]
    assert "Out of hours" not in note_of(sandbox)


def test_without_an_answer_the_note_is_written_all_the_same(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    """CloudTalk does not know the call."""
    bridge = Bridge(redis_client, sandbox, WITH_PATH)

    bridge.receive("call-ended", ended())
    bridge.run_jobs_for(60, step_s=5)

    assert note_of(sandbox).startswith("Answered incoming call")


@pytest.mark.slow
@pytest.mark.parametrize("asked_first", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
def test_an_ai_voice_agent_s_fields_are_in_the_note_in_any_order(
    bridge: Bridge, sandbox: RunningSandbox, asked_first: bool, at_once: bool
) -> None:
    add_call(sandbox, voice_agent="Nova", agent_id=None)
    nobody: dict[str, Any] = {"agent_id": "", "agent_first_name": "", "agent_last_name": ""}
    both: list[tuple[str, dict[str, Any]]] = [("voice-agent", ASKED), ("call-ended", ended(**nobody))]
    for trigger, body in both if asked_first else reversed(both):
        bridge.receive(trigger, body)
        if not at_once:
            bridge.run_jobs_for(30, step_s=5)
    bridge.run_jobs_for(60, step_s=5)

    lines = note_of(sandbox).splitlines()
    assert lines[0] == "Answered incoming call"
    assert "Answered by the AI voice agent Nova" in lines
    assert "Voice agent, order_number: 1234" in lines
    assert not any(line.startswith("Agent:") for line in lines)


def test_an_ai_voice_agent_s_webhook_alone_makes_the_call_known(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    add_call(sandbox, voice_agent="Nova", agent_id=None)

    bridge.receive("voice-agent", ASKED)
    bridge.run_jobs_for(60, step_s=5)

    assert "Voice agent, order_number: 1234" in note_of(sandbox)
    assert note_of(sandbox).startswith("Answered incoming call")


def test_the_same_webhook_twice_is_one(bridge: Bridge, sandbox: RunningSandbox) -> None:
    add_call(sandbox, voice_agent="Nova", agent_id=None)
    bridge.receive("voice-agent", ASKED)
    bridge.receive("voice-agent", dict(reversed(ASKED.items())))

    assert [event.times for event in bridge.record(str(CALL_ID)).events] == [2]
