"""The recording is heard in Kustomer: fetched once, kept, made small, attached once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.audio.peaks import BARS
from bridge.domain.rules.model import Rules
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.jobs.test_exactly_once import Died, die
from tests.support import THROUGH_MEMBRANE, Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
ENDED = ended()
UPLOADED = {"call_id": 1000000500, "external_number": 441632960304}
RECORDING = "/calls/recording/"


@pytest.fixture
def recorded(sandbox: RunningSandbox) -> RunningSandbox:
    """CloudTalk knows the call and has its sound."""
    return _with_sound(sandbox)


def _with_sound(sandbox: RunningSandbox, **more: Any) -> RunningSandbox:
    sandbox.cloudtalk.add_call(
        id=1000000500,
        uuid=UUID,
        external_number="+441632960304",
        internal_number="+15550100101",
        talking_time=12,
        started_at=ENDED["started_at"],
        **{"recorded": True, **more},
    )
    return sandbox


def _attached(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    return [item for item in sandbox.kustomer.attachments if item["referenced"]]


def _body(sandbox: RunningSandbox) -> str:
    return str(one_of_each(sandbox)[2]["attributes"]["body"])


@pytest.mark.parametrize("first", ["recording", "end"])
def test_a_recording_told_with_the_end_of_the_call_is_in_the_one_note_by_one_write(
    bridge: Bridge, recorded: RunningSandbox, first: str
) -> None:
    both: list[tuple[str, dict[str, Any]]] = [("call-ended", ENDED), ("recording-uploaded", UPLOADED)]
    for event in both if first == "end" else reversed(both):
        bridge.receive(*event)
    bridge.run_jobs_for(30)

    _, _, note = one_of_each(recorded)
    (attachment,) = recorded.kustomer.attachments
    assert attachment["referenced"]
    assert attachment["uploaded"]
    assert "Recording: attached (12 s)" in note["attributes"]["body"]
    # New caller: look-up, customer, conversation, attachment, note.
    assert len(recorded.kustomer.requests) == 5
    assert len(recorded.cloudtalk.requests) == 1


def test_a_known_caller_costs_four_requests(bridge: Bridge, recorded: RunningSandbox) -> None:
    recorded.kustomer.add_customer(name="Ada Example", phones=[{"phone": "+441632960304"}])
    bridge.receive("recording-uploaded", UPLOADED)
    bridge.receive("call-ended", ENDED)

    bridge.run_jobs_for(30)

    assert len(recorded.kustomer.requests) == 4
    assert len(recorded.cloudtalk.requests) == 1


def test_a_recording_announced_while_the_call_is_being_written_still_makes_one_note_write(
    bridge: Bridge, recorded: RunningSandbox
) -> None:
    result = lambda: bridge.receive("recording-uploaded", UPLOADED)  # noqa: E731
    bridge.wire.once("after", "POST", "/conversations$", result)
    bridge.receive("call-ended", ENDED)

    bridge.run_jobs_for(30)

    assert len(_attached(recorded)) == 1
    assert len(recorded.kustomer.requests) == 5


def test_a_recording_long_after_the_call_is_added_to_the_note(
    bridge: Bridge, recorded: RunningSandbox
) -> None:
    bridge.receive("call-ended", ENDED)
    bridge.run_jobs_for(30)
    assert "Recording" not in _body(recorded)
    recorded.kustomer.forget_requests()

    for _ in range(2):
        bridge.receive("recording-uploaded", UPLOADED)
        bridge.run_jobs_for(30)

    assert "Recording: attached (12 s)" in _body(recorded)
    assert len(recorded.kustomer.attachments) == len(_attached(recorded)) == 1
    assert len(recorded.cloudtalk.requests) == 1
    # Registered, then one update of the note, which is looked at before.
    assert [request.method for request in recorded.kustomer.requests] == ["POST", "GET", "PATCH"]


def test_the_file_that_people_play_is_small_and_the_original_is_kept_as_it_is(
    bridge: Bridge, recorded: RunningSandbox
) -> None:
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)
    bridge.run_jobs_for(30)

    (attachment,) = _attached(recorded)
    kept = bridge.record(UUID).observations["recording"].body
    original = b"".join(bridge.deps.open_storage().open(kept["original"]["name"]))
    played = recorded.kustomer.attachment_bytes(attachment["id"])
    assert original == recorded.cloudtalk.recording_of(1000000500)
    assert hashlib.sha256(original).hexdigest() == kept["original"]["sha256"]
    assert attachment["attributes"]["contentType"] == "audio/mpeg"
    assert len(played) == kept["speech"]["size"] < 200_000 * 12 / 60
    assert len(kept["peaks"]) == BARS


def test_a_call_that_was_not_recorded_is_not_asked_about(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ENDED)
    bridge.run_jobs_for(3600, step_s=300)

    assert sandbox.cloudtalk.requests == []
    assert "Recording" not in _body(sandbox)


def test_a_recording_that_is_not_there_yet_is_asked_for_at_growing_distances(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    _with_sound(sandbox, recording_ready_after=4)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(16)
    assert "Recording: still to come" in _body(sandbox)
    bridge.run_jobs_for(90)

    assert len(sandbox.cloudtalk.requests) == 5
    assert "Recording: attached (12 s)" in _body(sandbox)


@pytest.mark.slow
def test_a_recording_that_never_comes_is_given_up_visibly(bridge: Bridge, sandbox: RunningSandbox) -> None:
    _with_sound(sandbox, recording_ready_after=1000)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(50 * 60, step_s=10)

    assert "Recording: never appeared in CloudTalk" in _body(sandbox)
    assert list(bridge.ledger.parked()) == [f"recording|uuid:{UUID}"]
    assert 8 <= len(sandbox.cloudtalk.requests) <= 11


@pytest.mark.slow
@pytest.mark.parametrize("again", [UPLOADED, {**UPLOADED, "recording_url": "https://example.com/late"}])
def test_a_recording_announced_anew_after_it_was_given_up_is_fetched_by_itself(
    bridge: Bridge, sandbox: RunningSandbox, again: dict[str, Any]
) -> None:
    _with_sound(sandbox, recording_ready_after=1000)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)
    bridge.run_jobs_for(50 * 60, step_s=10)
    assert "never appeared" in _body(sandbox)

    _with_sound(sandbox)
    bridge.receive("recording-uploaded", again)
    bridge.run_jobs_for(60)

    assert "Recording: attached (12 s)" in _body(sandbox)
    assert bridge.ledger.parked() == {}


def test_a_recording_that_expired_is_final_and_said_so(bridge: Bridge, sandbox: RunningSandbox) -> None:
    _with_sound(sandbox, recording_expired=True)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(3600, step_s=60)

    assert "Recording: expired or deleted in CloudTalk" in _body(sandbox)
    assert bridge.ledger.parked() == {}
    assert len(sandbox.cloudtalk.requests) == 1


def test_a_transfer_that_is_cut_off_is_resumed_where_that_is_granted(
    bridge: Bridge, recorded: RunningSandbox
) -> None:
    recorded.cloudtalk.cut_next(after_bytes=50_000, path=RECORDING)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(30)

    kept = bridge.record(UUID).observations["recording"].body
    assert kept["original"]["size"] == len(recorded.cloudtalk.recording_of(1000000500))
    # Through Membrane it is asked for in pieces from the start.
    first = 206 if "cloudtalk" in THROUGH_MEMBRANE else 200
    assert [request.status for request in recorded.cloudtalk.requests] == [first, 206]


@pytest.mark.parametrize("length_told", [True, False])
def test_a_transfer_that_is_cut_off_and_not_resumed_is_begun_anew(
    bridge: Bridge, recorded: RunningSandbox, length_told: bool
) -> None:
    recorded.cloudtalk.read_as(recording_ranges=False, recording_length_header=length_told)
    recorded.cloudtalk.cut_next(after_bytes=50_000, path=RECORDING)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(60)

    kept = bridge.record(UUID).observations["recording"].body
    assert kept["original"]["size"] == len(recorded.cloudtalk.recording_of(1000000500))
    assert len(_attached(recorded)) == 1


@pytest.mark.parametrize(
    "content", [b"", b"<html>busy</html>", b'{"error": 1}'], ids=["empty", "html", "json"]
)
def test_what_is_no_recording_is_not_taken_for_one(
    bridge: Bridge, recorded: RunningSandbox, content: bytes
) -> None:
    recorded.cloudtalk.answer_next(content, path=RECORDING)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(60)

    assert len(_attached(recorded)) == 1
    # A web page has CloudTalk checked once.
    paths = [one.path for one in recorded.cloudtalk.requests]
    assert len([path for path in paths if "/calls/recording/" in path]) == 2
    assert len(paths) == 2 + ("/core/api/agents/index.json" in paths)


def test_a_server_that_trickles_is_not_waited_for_for_ever(
    redis_client: redis.Redis, recorded: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, recorded, longest_transfer_s=0.3)
    recorded.cloudtalk.slow_next(20_000, path=RECORDING)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    ends = bridge.run_jobs()
    assert "recording failed" in ends
    bridge.run_jobs_for(60)

    assert len(_attached(recorded)) == 1


@pytest.mark.parametrize("length_told", [True, False])
def test_a_recording_over_the_ceiling_is_left_in_cloudtalk_and_said_so(
    redis_client: redis.Redis, sandbox: RunningSandbox, length_told: bool
) -> None:
    _with_sound(sandbox, recording_seconds=120)
    sandbox.cloudtalk.read_as(recording_length_header=length_told)
    bridge = Bridge(redis_client, sandbox, recording_max_mb=1)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(60)

    (parked,) = bridge.ledger.parked().values()
    assert parked["cause"] == "OverCeiling"
    assert "larger than RECORDING_MAX_MB (1,000,000 bytes): 1," in parked["error"]
    assert "Recording: over 1 MB, so it is left in CloudTalk" in _body(sandbox)
    assert list(Path(bridge.data_dir).rglob("*.wav")) == []
    assert len(sandbox.cloudtalk.requests) == 1


@pytest.mark.parametrize("where", ["https://evil.example/a.wav", "http://127.0.0.1:9/a.wav"])
def test_a_redirect_to_another_host_is_not_followed(
    bridge: Bridge, recorded: RunningSandbox, where: str
) -> None:
    recorded.cloudtalk.read_as(recording_redirect=where)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(60)

    assert list(bridge.ledger.parked()) == [f"recording|uuid:{UUID}"]
    assert "host that is not CloudTalk" in next(iter(bridge.ledger.parked().values()))["error"]
    assert "Recording: still to come" in _body(recorded)


@pytest.mark.parametrize("lost", ["/attachments$", "^/_uploads", "/conversations$", "/notes$"])
def test_a_lost_reply_references_one_attachment_and_loses_no_recording(
    bridge: Bridge, recorded: RunningSandbox, lost: str
) -> None:
    recorded.kustomer.lose_next_reply(method="POST", path=lost)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(60)

    assert len(_attached(recorded)) == 1
    orphans = len(recorded.kustomer.attachments) - 1
    assert orphans <= 1
    assert bridge.ledger.counts().get("attachment:orphaned", 0) == orphans


@pytest.mark.parametrize("at", ["before", "after"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", RECORDING),
        ("POST", "/v1/attachments$"),
        ("POST", "^/_uploads"),
        ("POST", "/notes$"),
    ],
)
def test_a_worker_that_dies_at_any_step_references_one_attachment(
    bridge: Bridge, recorded: RunningSandbox, method: str, path: str, at: str
) -> None:
    bridge.wire.once(at, method, path, die)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    with pytest.raises(Died):
        bridge.run_jobs_for(30)
    bridge.run_jobs_for(60)

    one_of_each(recorded)
    assert len(_attached(recorded)) == 1
    assert len(recorded.kustomer.attachments) <= 2
    assert "Recording: attached" in _body(recorded)


def test_an_upload_form_that_ran_out_is_asked_for_anew(bridge: Bridge, recorded: RunningSandbox) -> None:
    bridge.wire.once("before", "POST", "^/_uploads", recorded.kustomer.expire_uploads)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(30)

    assert len(_attached(recorded)) == 1
    assert bridge.ledger.counts()["attachment:orphaned"] == 1


def test_no_key_goes_to_the_upload_host(bridge: Bridge, recorded: RunningSandbox) -> None:
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)
    bridge.run_jobs_for(30)

    assert [upload.authorization for upload in recorded.kustomer.uploads] == [False]


def test_what_a_person_attached_stays(bridge: Bridge, recorded: RunningSandbox) -> None:
    bridge.receive("call-ended", ENDED)
    bridge.run_jobs_for(30)
    note = recorded.kustomer.notes[0]["id"]
    recorded.kustomer.add_attachment(
        note, name="invoice.pdf", content=b"%PDF", content_type="application/pdf"
    )

    bridge.receive("recording-uploaded", UPLOADED)
    bridge.run_jobs_for(30)

    assert sorted(a["attributes"]["name"] for a in _attached(recorded)) == [
        "call-1000000500.mp3",
        "invoice.pdf",
    ]


def test_a_forgotten_ledger_does_not_attach_it_twice(bridge: Bridge, recorded: RunningSandbox) -> None:
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)
    bridge.run_jobs_for(30)
    bridge.ledger.redis.flushall()
    bridge.ledger.reach()
    recorded.kustomer.forget_requests()

    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)
    bridge.run_jobs_for(30)

    assert recorded.kustomer.writes == []
    assert len(recorded.kustomer.attachments) == 1


@pytest.mark.parametrize("reading", [{"attachment_types": "no-audio"}, {"attachment_max_bytes": 1000}])
def test_where_kustomer_refuses_the_file_the_note_says_where_it_is(
    redis_client: redis.Redis, recorded: RunningSandbox, reading: dict[str, Any]
) -> None:
    bridge = Bridge(redis_client, recorded, public_url="https://bridge.example.com")
    recorded.kustomer.read_as(**reading)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(30)

    assert f"Recording: https://bridge.example.com/recordings/uuid:{UUID} (12 s)" in _body(recorded)
    assert bridge.ledger.parked() == {}


@pytest.mark.parametrize(
    ("rules", "said", "attached"),
    [
        (Rules(attach="original"), "attached (12 s)", "audio/x-wav"),
        (Rules(transcode=False), "attached (12 s)", "audio/x-wav"),
        (Rules(attach="never"), "kept by the bridge (12 s)", None),
        (Rules(largest_attachment=1000), "kept by the bridge (12 s)", None),
        (Rules(record=False), "in CloudTalk", None),
        (Rules(do_not_record=("+441632960304",)), "in CloudTalk", None),
        (Rules(do_not_record=("+1 555 010 0101",)), "in CloudTalk", None),
    ],
)
def test_the_rules_say_what_is_fetched_and_what_is_attached(
    redis_client: redis.Redis, recorded: RunningSandbox, rules: Rules, said: str, attached: str | None
) -> None:
    bridge = Bridge(redis_client, recorded, rules)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(30)

    assert f"Recording: {said}" in _body(recorded)
    assert [a["attributes"]["contentType"] for a in _attached(recorded)] == ([attached] if attached else [])
    assert bool(recorded.cloudtalk.requests) is (said != "in CloudTalk")


def test_a_voicemail_is_said_as_such(bridge: Bridge, recorded: RunningSandbox) -> None:
    bridge.receive("call-ended", ended(talking_time="0", answered_at="", is_voicemail="true"))
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(30)

    assert "Voicemail: attached (12 s)" in _body(recorded)
    assert _attached(recorded)[0]["attributes"]["name"] == "voicemail-1000000500.mp3"


def test_the_public_link_is_used_only_where_the_operator_wants_it(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    _with_sound(sandbox, recording_ready_after=1000)
    link = sandbox.cloudtalk.public_link_of(1000000500)
    result = {**UPLOADED, "recording_url": link}

    for public_link in (False, True):
        redis_client.flushall()
        bridge = Bridge(redis_client, sandbox, Rules(public_link=public_link))
        bridge.receive("call-ended", ENDED)
        bridge.receive("recording-uploaded", result)
        bridge.run_jobs_for(10)
        assert any(r.path.startswith("/pub/") for r in sandbox.cloudtalk.requests) is public_link

    stolen = {**UPLOADED, "recording_url": "https://evil.example/pub/r/MTAwMDAwMDUwMA%3D%3D/x.wav"}
    redis_client.flushall()
    bridge = Bridge(redis_client, sandbox, Rules(public_link=True))
    bridge.receive("recording-uploaded", stolen)
    bridge.receive("call-ended", ENDED)
    bridge.run_jobs_for(10)
    assert "does not point to CloudTalk" in next(iter(bridge.ledger.parked().values()))["error"]


def test_the_usual_delay_is_learnt_and_waited_for(bridge: Bridge) -> None:
    assert bridge.ledger.memory.usual_delay_s() == 0
    for seconds in [1] * 2 + [20] * 18:
        bridge.ledger.memory.keep_delay(seconds)

    assert bridge.ledger.memory.usual_delay_s() == 25


def test_waiting_for_recordings_does_not_make_them_look_later_still(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    for _ in range(20):
        bridge.ledger.memory.keep_delay(5)
    assert bridge.ledger.memory.usual_delay_s() == 6

    for n in range(4):
        call_id, uuid = 1000000600 + n, f"11111111-2222-4333-8444-5555555556{n:02d}"
        event = ended(call_id=call_id, uuid=uuid)
        sandbox.cloudtalk.add_call(id=call_id, uuid=uuid, recorded=True, started_at=event["started_at"])
        bridge.receive("call-ended", event)
        bridge.receive("recording-uploaded", {"call_id": call_id})
        bridge.run_jobs_for(30)

    assert len(_attached(sandbox)) == 4
    assert bridge.ledger.memory.usual_delay_s() == 6
