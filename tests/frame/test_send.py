"""`callbridge send`: made-up webhooks, and what it says became of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from bridge.commands.context import Run
from bridge.commands.send import Sender, choose, keep, last_call, result, send
from bridge.data_folder import LAST_CALL
from bridge.domain.policy import GOES_ON
from bridge.domain.webhook.templates import TEMPLATES
from bridge.errors import Unavailable, WrongUse
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.samples import KNOWN_CALLER, OUTCOMES, SampleCall
from bridge.settings import Settings
from tests.jobs.test_audit import audited
from tests.support import Bridge

NOW = datetime(2026, 3, 2, 9, 25, 11, 500_000, tzinfo=UTC)
RUN = Run(
    pid=1,
    identity="",
    mark="",
    web_url="http://bridge",
    environment={},
    sandbox={"cloudtalk": "http://cloudtalk", "kustomer": "http://kustomer"},
)


def fresh() -> SampleCall:
    return SampleCall.ending(NOW)


class World:
    """A bridge and a sandbox CloudTalk that answer as they are told, and keep what they got."""

    def __init__(self, **answers: Any) -> None:
        self.requests: list[httpx2.Request] = []
        self.answers = answers

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if request.url.path.startswith("/api/calls/"):
            return httpx2.Response(200, json=self.answers.get("record", {"state": "synced"}))
        return httpx2.Response(
            self.answers.get("status", 202),
            json=self.answers.get("answer", {"status": "accepted", "call": "k:1"}),
        )


@pytest.fixture
def sender() -> Callable[..., Sender]:
    def make(world: Callable[[httpx2.Request], httpx2.Response], **environ: str) -> Sender:
        settings = Settings.from_env({"WEBHOOK_TOKENS": "a-token-of-ours", **environ}, dotenv=None)
        client = httpx2.Client(transport=httpx2.MockTransport(world))
        return Sender(client, "http://bridge", settings, token=None, run=RUN)

    return make


def test_a_sample_is_the_template_filled_in_with_a_call_that_ends_now() -> None:
    call = fresh()

    body = call.body("call-ended")

    assert list(body) == [key.name for key in TEMPLATES["call-ended"].keys]
    assert body["event"] == "call_ended"
    assert body["call_id"] == str(call.id)
    assert body["call_uuid"] == call.uuid
    assert body["ended_at"] == "2026-03-02T09:24:51.500Z"
    assert body["talking_time"] == "97"


def test_each_sample_is_another_call() -> None:
    assert fresh().id != fresh().id
    assert fresh().uuid != fresh().uuid


def test_samples_use_numbers_reserved_for_fiction_only() -> None:
    for trigger in TEMPLATES:
        body = fresh().body(trigger)
        for name in ("external_number", "internal_number"):
            assert body.get(name, KNOWN_CALLER).startswith(("+1555010", "+44163296"))


def test_another_number_is_of_somebody_unknown() -> None:
    call = SampleCall.ending(NOW, number="+15550100177")

    assert call.body("call-ended")["contact_name"] == ""


@pytest.mark.parametrize("trigger", ["recording-uploaded", "call-modified", "transcription-created"])
def test_what_comes_after_a_call_speaks_of_the_one_before(trigger: str) -> None:
    last = fresh().having_sent("call-ended")

    assert choose(trigger, last, new=None, fresh=fresh) is last


def test_a_call_goes_its_way_from_started_to_ended() -> None:
    last = fresh().having_sent("call-started")

    assert choose("call-answered", last, new=None, fresh=fresh) is last
    assert choose("call-ended", last, new=None, fresh=fresh) is last


def test_a_second_end_is_of_another_call_unless_asked_for_the_same() -> None:
    last = fresh().having_sent("call-ended")

    assert choose("call-ended", last, new=None, fresh=fresh) is not last
    assert choose("call-ended", last, new=False, fresh=fresh) is last


def test_a_new_call_or_one_by_its_id_is_as_asked() -> None:
    last = fresh().having_sent("call-ended")

    assert choose("recording-uploaded", last, new=True, fresh=fresh) is not last
    assert choose("recording-uploaded", last, new=None, fresh=fresh, chosen_by_hand=True) is not last


def test_the_same_call_of_none_is_refused() -> None:
    with pytest.raises(WrongUse, match="No call was sent"):
        choose("call-ended", None, new=False, fresh=fresh)


def test_the_last_call_is_remembered_between_commands(tmp_path: Path) -> None:
    call = fresh().having_sent("call-ended")

    keep(tmp_path / "last-call.json", call)

    assert last_call(tmp_path / "last-call.json") == call
    assert last_call(tmp_path / "none.json") is None


def test_it_signs_in_with_the_token_of_the_settings(sender: Callable[..., Sender]) -> None:
    world = World()

    outcome = sender(world).post("call-ended", b"{}")

    (request,) = world.requests
    assert request.url.path == "/webhooks/cloudtalk/call-ended"
    assert request.headers["authorization"] == "Bearer a-token-of-ours"
    assert (outcome.status, outcome.call) == (202, "k:1")


def test_the_sandbox_knows_of_the_call_before_the_bridge_does(sender: Callable[..., Sender]) -> None:
    world = World()
    call = fresh()

    sender(world).tell_sandbox(call)

    (request,) = world.requests
    assert str(request.url) == "http://cloudtalk/_sandbox/calls"
    assert json.loads(request.content)["id"] == call.id
    assert json.loads(request.content)["recorded"] is True


def test_a_sandbox_by_itself_is_told_of_the_call_too(sandbox: RunningSandbox) -> None:
    settings = Settings.from_env(sandbox.environ(), dotenv=None)
    call = fresh()

    with httpx2.Client() as client:
        Sender(client, "http://bridge", settings, token=None, run=None).tell_sandbox(call)

    assert sandbox.cloudtalk.calls[-1]["id"] == call.id


def test_a_real_cloudtalk_is_told_of_no_sample() -> None:
    world = World()
    keys = {"CLOUDTALK_ACCESS_KEY_ID": "an-id", "CLOUDTALK_ACCESS_KEY_SECRET": "a-secret"}
    settings = Settings.from_env(keys, dotenv=None)

    with httpx2.Client(transport=httpx2.MockTransport(world)) as client:
        Sender(client, "http://bridge", settings, token=None, run=None).tell_sandbox(fresh())

    assert world.requests == []


# Its state in the bridge, and the first line of its note.
AFTER_EACH = {
    "answered": ("synced", "Answered incoming call"),
    "missed": ("synced", "Missed incoming call"),
    "voicemail": ("synced", "Voicemail"),
    "outgoing": ("synced", "Outgoing call, answered"),
    "transferred": ("synced", "Answered incoming call"),
    "ai_agent": ("synced", "Answered incoming call"),
    "internal": ("skipped", None),
}


@pytest.mark.slow
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("trigger", ["call-ended", "recording-uploaded", "call-started"])
def test_a_sample_call_becomes_what_it_is_and_the_audit_finds_nothing(
    bridge: Bridge, sandbox: RunningSandbox, trigger: str, outcome: str
) -> None:
    state, headline = AFTER_EACH[outcome]
    call = SampleCall.ending(datetime.now(UTC), outcome=outcome)
    if trigger == "recording-uploaded" and not call.recorded:
        pytest.skip("there is none")
    sandbox.cloudtalk.add_call(**call.as_cloudtalk_knows_it())

    bridge.receive(trigger, call.body(trigger))
    bridge.run_jobs_for(60, step_s=5)

    if trigger != "call-started":
        assert bridge.record(call.uuid).fields["state"] == state
        headlines = [note["attributes"]["body"].split("\n")[0] for note in sandbox.kustomer.notes]
        assert headlines == ([headline] if headline else [])
    assert audited(bridge).clean


def test_a_transferred_call_names_the_agent_who_talked_longest(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = SampleCall.ending(datetime.now(UTC), outcome="transferred")
    sandbox.cloudtalk.add_call(**call.as_cloudtalk_knows_it())

    bridge.receive("recording-uploaded", call.body("recording-uploaded"))
    bridge.run_jobs_for(60, step_s=5)

    (note,) = sandbox.kustomer.notes
    assert "Agent: Bo Sample" in note["attributes"]["body"]


def test_a_call_without_a_recording_has_none_uploaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))

    result = CliRunner().invoke(send, ["recording-uploaded", "--outcome", "missed"])

    assert isinstance(result.exception, WrongUse)
    assert "has no recording" in str(result.exception)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_last_call_is_kept_whatever_its_outcome(tmp_path: Path, outcome: str) -> None:
    call = SampleCall.ending(NOW, outcome=outcome).having_sent("call-ended")

    keep(tmp_path / "last-call.json", call)

    assert last_call(tmp_path / "last-call.json") == call


def test_no_bridge_there_says_how_to_start_one(sender: Callable[..., Sender]) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(Unavailable, match="deploy/run up --sandbox"):
        sender(refuse).post("call-ended", b"{}")


def test_it_says_what_became_of_the_call(sender: Callable[..., Sender]) -> None:
    record = {
        "state": "synced",
        "reason": None,
        "outputs": {"customer": {"id": "cu1"}, "conversation": {"id": "co1"}, "note": {"id": "no1"}},
    }
    following = sender(World(record=record))

    outcome = following.post("call-ended", b"{}")
    outcome.record = following.follow("k:1")

    said = result(outcome, "http://bridge", RUN)
    for text in ("202", "synced", "cu1", "co1", "no1", "calls show k:1", "http://kustomer"):
        assert text in said


def test_a_call_that_goes_on_is_not_waited_for(sender: Callable[..., Sender]) -> None:
    world = World(record={"state": "waiting", "reason": GOES_ON})
    sent = sender(world).post("call-started", b"{}")
    sent.record = sender(world).follow("k:1")

    assert "still working" not in result(sent, "http://bridge", None)
    assert len(world.requests) == 2


def test_a_contact_leaves_no_call_behind_that_nobody_made(
    tmp_path: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = len(sandbox.cloudtalk.calls)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for name, value in sandbox.environ().items():
        monkeypatch.setenv(name, value)

    CliRunner().invoke(send, ["contact-created", "--url", "http://127.0.0.1:9"])

    assert len(sandbox.cloudtalk.calls) == known and last_call(tmp_path / LAST_CALL) is None


def test_a_refused_token_says_what_to_set(sender: Callable[..., Sender]) -> None:
    outcome = sender(World(status=401, answer={"error": "unauthorized"})).post("call-ended", b"{}")

    assert not outcome.is_accepted
    assert "WEBHOOK_TOKENS" in result(outcome, "http://bridge", None)
