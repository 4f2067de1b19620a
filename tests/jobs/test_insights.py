"""What CloudTalk's AI says of a call is in its note: asked for once each, in whatever order things come."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.ledger.health import add_on_missing
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.jobs.test_forgetting import erasure
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
CALL_ID = 1000000500
ENDED = ended()
READY = {"call_id": CALL_ID, "call_uuid": UUID}
ALL = Rules(
    summary=True,
    sentiment=True,
    smart_notes=True,
    topics=True,
    talk_ratio=True,
    details_link=True,
    transcript="file",
)


@pytest.fixture(autouse=True)
def _it_ended_just_now() -> None:
    """This file may have been read long before its tests run."""
    ENDED.update(ended())


def _bridge(redis_client: redis.Redis, sandbox: RunningSandbox, rules: Rules, **insights: Any) -> Bridge:
    sandbox.cloudtalk.add_call(
        id=CALL_ID,
        uuid=UUID,
        external_number="+441632960304",
        talking_time=12,
        started_at=ENDED["started_at"],
        insights=insights,
    )
    return Bridge(redis_client, sandbox, rules)


def _asked(sandbox: RunningSandbox) -> list[str]:
    """The insights that were asked for, in their order."""
    paths = [request.path for request in sandbox.cloudtalk.requests]
    return [path.rsplit("/", 1)[1] for path in paths if "/ai/calls/" in path]


def _body(sandbox: RunningSandbox) -> str:
    return str(one_of_each(sandbox)[2]["attributes"]["body"])


def test_without_the_choice_nothing_is_asked(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = _bridge(redis_client, sandbox, Rules())

    bridge.receive("call-ended", ENDED)
    bridge.receive("insights-ready", {**READY, "summary": "Ada wants her invoice."})
    bridge.run_jobs_for(120, step_s=20)

    assert sandbox.cloudtalk.requests == []
    assert "Summary\n> Ada wants her invoice." in _body(sandbox)


@pytest.mark.parametrize("announced", [False, True])
def test_each_insight_costs_one_request_and_all_of_them_one_update_of_the_note(
    redis_client: redis.Redis, sandbox: RunningSandbox, announced: bool
) -> None:
    bridge = _bridge(redis_client, sandbox, ALL)
    bridge.receive("call-ended", ENDED)
    bridge.run_jobs()
    sandbox.kustomer.forget_requests()

    if announced:
        bridge.receive("insights-ready", READY)
        bridge.run_jobs()
    else:
        bridge.let_pass(59)
        bridge.run_jobs()
        assert _asked(sandbox) == []
        bridge.run_jobs_for(2)
    for _ in range(2):
        bridge.receive("insights-ready", READY)
        bridge.run_jobs_for(700, step_s=60)

    assert sorted(_asked(sandbox)) == [
        "details-link", "overall-sentiment", "smart-notes", "summary", "talk-listen-ratio", "topics",
        "transcription",
    ]  # fmt: skip
    assert [request.method for request in sandbox.kustomer.requests] == ["GET", "PATCH"]
    body = _body(sandbox)
    order = [
        "Action items\n> - Send the invoice",
        "Caller: ",
        "Summary\n> Ada asks for a copy",
        "Sentiment: positive",
        "Decisions\n> - The invoice is sent today",
        "Open questions\n> - Which address",
        "Dates and deadlines\n> - Fri 20 Mar 2026, 10:00 UTC: The invoice is due",
        "Topics\n> Invoice, Delivery",
        "Talked: Agent 40 %, Customer 60 %",
        f"AI details in CloudTalk: https://analytics.cloudtalk.io/call-details/{CALL_ID}",
        "Transcript\n> [0:01] Bo Sample: Good morning",
    ]
    places = [body.index(part) for part in order]
    assert places == sorted(places)
    assert sandbox.kustomer.attachments == []


def test_what_a_webhook_brought_is_not_asked_for(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = _bridge(redis_client, sandbox, Rules(summary=True, sentiment=True))
    bridge.receive("insights-ready", {**READY, "summary": "Ada wants her invoice."})
    bridge.receive("call-ended", ENDED)

    bridge.run_jobs_for(120, step_s=20)

    assert _asked(sandbox) == ["overall-sentiment"]
    assert "Summary\n> Ada wants her invoice.\n\nSentiment: positive" in _body(sandbox)


def test_what_is_never_there_is_asked_for_eight_times_and_the_note_says_so(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = _bridge(redis_client, sandbox, Rules(summary=True, topics=True), without=["topics"])
    bridge.receive("call-ended", ENDED)
    bridge.run_jobs()
    bridge.let_pass(61)

    asked_after = []
    for seconds in (0, 5, 10, 20, 40, 80, 160, 320, 3600):
        bridge.let_pass(seconds)
        bridge.run_jobs()
        asked_after.append(_asked(sandbox).count("topics"))

    assert asked_after == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert _asked(sandbox).count("summary") == 1
    assert "\n\nNot available from CloudTalk's AI: topics" in _body(sandbox)
    sandbox.cloudtalk.forget_requests()

    # Announced after all.
    sandbox.cloudtalk.add_call(id=CALL_ID, uuid=UUID, talking_time=12, insights={})
    bridge.receive("insights-ready", READY)
    bridge.run_jobs()

    assert _asked(sandbox) == ["topics"]
    assert "Topics\n> Invoice, Delivery" in _body(sandbox) and "Not available" not in _body(sandbox)


@pytest.mark.slow
def test_without_the_add_on_one_request_an_hour_is_sent_for_all_calls(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.read_as(ai_add_on="403")
    bridge = Bridge(redis_client, sandbox, Rules(summary=True, sentiment=True))

    def call(n: int) -> None:
        sandbox.cloudtalk.add_call(id=CALL_ID + n, uuid=UUID[:-1] + str(n), talking_time=12, insights={})
        bridge.receive("call-ended", ended(call_id=CALL_ID + n, uuid=UUID[:-1] + str(n)))

    for n in range(3):
        call(n)
    bridge.run_jobs_for(900, step_s=100)
    assert len(_asked(sandbox)) == 1
    reasons = [bridge.record(UUID[:-1] + str(n)).reason for n in range(3)]
    assert all("no Conversation Intelligence (403)" in str(reason) for reason in reasons)
    assert add_on_missing(bridge.ledger)
    bridge.run_jobs_for(3600, step_s=300)
    assert len(_asked(sandbox)) == 2

    # Bought meanwhile: a later call has its insights, the earlier ones are done with.
    sandbox.cloudtalk.read_as(ai_add_on="there")
    bridge.let_pass(3600)
    sandbox.cloudtalk.forget_requests()
    call(5)
    bridge.run_jobs_for(90, step_s=10)

    assert sorted(_asked(sandbox)) == ["overall-sentiment", "summary"]
    assert not add_on_missing(bridge.ledger)
    assert sum("Sentiment: positive" in note["attributes"]["body"] for note in sandbox.kustomer.notes) == 1


def test_a_transcript_longer_than_the_note_is_attached_whole(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    said = [("agent" if n % 2 else "contact", f"Sentence {n} of a long talk. " * 8) for n in range(1500)]
    bridge = _bridge(redis_client, sandbox, Rules(transcript="file"), segments=said)
    bridge.receive("call-ended", ENDED)
    bridge.run_jobs_for(120, step_s=20)

    # In two pages.
    assert _asked(sandbox) == ["transcription"] * 2
    (attachment,) = sandbox.kustomer.attachments
    assert attachment["referenced"] and attachment["attributes"]["name"] == f"transcript-{CALL_ID}.txt"
    text = sandbox.kustomer.attachment_bytes(attachment["id"]).decode("utf-8-sig")
    lines = text.splitlines()
    assert len(lines) == 1500
    assert lines[0].startswith("[0:01] Ada Example: Sentence 0 of") and "Bo Sample: Sentence 1 of" in lines[1]
    body = _body(sandbox)
    assert f"Transcript, first lines (all of it: transcript-{CALL_ID}.txt)\n> {lines[0][:60]}" in body
    assert len(body) < 3000
    assert "transcript" in bridge.record(UUID).outputs

    # Forgotten on request, nothing of it is left here.
    name = bridge.record(UUID).observations["insights"].body["transcript"]["file"]["name"]
    assert bridge.deps.open_storage().size(name)
    receipt = erasure(bridge).of_call(bridge.record(UUID))
    assert bridge.deps.open_storage().size(name) is None
    assert [one.what for one in receipt.elsewhere if "attachments" in one.place] == ["attachment"]


END, SOUND, SAID = ("call-ended", ENDED), ("recording-uploaded", READY), ("insights-ready", READY)


@pytest.mark.slow
@pytest.mark.parametrize(
    "course",
    [
        [END, SOUND, SAID],
        [SAID, END, SOUND],
        [SOUND, SAID, END],
        [END, 300, SOUND, 300, SAID],
        [SOUND, 120, END],
        [SAID, SAID, SOUND, 30, END, SAID, END],
    ],
    ids=["usual", "said first", "end last", "late", "never announced", "repeated"],
)
def test_insights_in_every_order_against_end_and_recording_make_the_same_note(
    redis_client: redis.Redis, sandbox: RunningSandbox, course: list[Any]
) -> None:
    rules = Rules(summary=True, sentiment=True, transcript="note")
    sandbox.cloudtalk.add_call(
        id=CALL_ID, uuid=UUID, external_number="+441632960304", talking_time=97, recorded=True,
        started_at=ENDED["started_at"], recording_seconds=12, insights={}, notes=[ENDED["notes"]],
        contact_name="Ada Example",
    )  # fmt: skip
    bridge = Bridge(redis_client, sandbox, rules)

    for step in course:
        if isinstance(step, int):
            bridge.run_jobs_for(step, step_s=30)
        else:
            bridge.receive(*step)
            bridge.run_jobs()
    bridge.run_jobs_for(120, step_s=20)

    assert sorted(_asked(sandbox)) == ["overall-sentiment", "summary", "transcription"]
    lines = _body(sandbox).splitlines()
    assert lines[:4] == [
        "Answered incoming call", "", "Caller: Ada Example, +44 1632 960304", "Our line: +1 555-010-0101",
    ]  # fmt: skip
    assert lines[lines.index("Call tags: Billing, VIP") :] == [
        "Call tags: Billing, VIP", "Recording: attached (12 s)", f"CloudTalk call: {CALL_ID}",
        "", "Agent's notes", "> Wants the March invoice again.",
        "", "Summary", "> Ada asks for a copy of an invoice. Grace sends it by e-mail today.",
        "", "Sentiment: positive",
        "", "Transcript", "> [0:01] Bo Sample: Good morning, how can I help?",
        "> [0:05] Ada Example: I need a copy of my invoice, please.",
    ]  # fmt: skip
