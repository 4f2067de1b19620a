"""Recordings that are not the WAV they are called: kept once, attached where browsers play them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from bridge.jobs.recording import _link_in
from bridge.sandbox.running import RunningSandbox
from tests.audio.given import chunk, fmt, speech, wav
from tests.jobs.desk import one_of_each
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
HALF = speech(0.5).tobytes()
MP3 = b"\xff\xfb\x50\xc4" + bytes(400)


def _fetched(bridge: Bridge, sandbox: RunningSandbox, sound: bytes) -> tuple[str, list[dict[str, Any]]]:
    """What the note says of the sound, and what is attached."""
    call = ended()
    given = {"recording_wav": base64.b64encode(sound).decode(), "started_at": call["started_at"]}
    sandbox.cloudtalk.add_call(
        id=1000000500, uuid=UUID, external_number="+441632960304", recorded=True, **given
    )
    bridge.receive("call-ended", call)
    bridge.receive("recording-uploaded", {"call_id": 1000000500})
    bridge.run_jobs_for(60, step_s=5)
    assert len([r for r in sandbox.cloudtalk.requests if "/recording/" in r.path]) == 1
    body: str = one_of_each(sandbox)[2]["attributes"]["body"]
    said = next(
        line.removeprefix("Recording: ") for line in body.splitlines() if line.startswith("Recording: ")
    )
    return said, [item for item in sandbox.kustomer.attachments if item["referenced"]]


@pytest.mark.parametrize(
    ("sound", "ending", "content_type"),
    [
        (MP3, "mp3", "audio/mpeg"),
        (b"ID3\x04" + bytes(100) + MP3, "mp3", "audio/mpeg"),
        (b"OggS\x00\x02" + bytes(200), "ogg", "audio/ogg"),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(200), "m4a", "audio/mp4"),
        (b"fLaC\x00" + bytes(200), "flac", "audio/flac"),
    ],
)
def test_a_sound_that_browsers_play_is_attached_as_it_is(
    bridge: Bridge, sandbox: RunningSandbox, sound: bytes, ending: str, content_type: str
) -> None:
    said, attached = _fetched(bridge, sandbox, sound)

    assert said == "attached"
    assert [(item["attributes"]["name"], item["attributes"]["contentType"]) for item in attached] == [
        (f"call-1000000500.{ending}", content_type)
    ]
    assert sandbox.kustomer.attachment_bytes(attached[0]["id"]) == sound


@pytest.mark.parametrize(
    ("sound", "kind"),
    [
        (b".snd" + bytes(200), "AU"),
        (b"RIFX" + wav(HALF)[4:], "a big-endian WAV (RIFX)"),
        (b"FORM\x00\x00\x01\x00AIFF" + bytes(100), "AIFF"),
        (b"\x01\x02\xfe\xff" * 50, "a kind of file that is not known here"),
        (wav(bytes(650), format_chunk=fmt(codec=49, bits=0, extra=b"\x02\x00\x40\x01")), "a WAV in GSM 6.10"),
        (wav(bytes(512), format_chunk=fmt(codec=2, bits=4)), "a WAV in Microsoft ADPCM"),
        (wav(bytes(512), format_chunk=fmt(codec=17, bits=4)), "a WAV in IMA ADPCM"),
        (b"RIFF\x04\x00\x00\x00WAVE", "a damaged WAV"),
        (wav(HALF)[:36], "a damaged WAV"),
        (wav(HALF)[:22] + bytes(2) + wav(HALF)[24:], "a damaged WAV"),
        (wav(HALF)[:24] + bytes(4) + wav(HALF)[28:], "a damaged WAV"),
    ],
)
def test_a_sound_that_browsers_do_not_play_is_kept_and_said_once(
    bridge: Bridge, sandbox: RunningSandbox, sound: bytes, kind: str
) -> None:
    said, attached = _fetched(bridge, sandbox, sound)

    assert said == f"kept by the bridge (browsers cannot play it: {kind})"
    assert attached == []
    stored = bridge.record(f"uuid:{UUID}").observations["recording"].body["original"]
    assert b"".join(bridge.deps.open_storage().open(stored["name"])) == sound


@pytest.mark.parametrize(
    "sound", [wav(b""), wav(b"", size=0xFFFFFFFF), wav(b"", after=chunk(b"LIST", b"INFO"))]
)
def test_a_sound_without_samples_is_said_to_be_empty(
    bridge: Bridge, sandbox: RunningSandbox, sound: bytes
) -> None:
    assert _fetched(bridge, sandbox, sound) == ("empty", [])


def test_the_proper_end_of_a_transfer_is_believed_more_than_a_header(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.read_as(recording_length_header=False)

    said, attached = _fetched(bridge, sandbox, wav(HALF * 4, size=len(HALF) * 4 + 44))

    assert said == "attached (2 s)"
    assert len(attached) == 1


def test_a_file_without_a_byte_is_asked_for_again_and_then_said_to_be_empty(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(
        id=1000000500, uuid=UUID, external_number="+441632960304", recorded=True, recording_wav=""
    )
    bridge.receive("call-ended", ended())
    bridge.receive("recording-uploaded", {"call_id": 1000000500})
    bridge.run_jobs_for(3600, step_s=60)

    assert len([r for r in sandbox.cloudtalk.requests if "/recording/" in r.path]) <= 11
    assert "Recording: empty in CloudTalk" in one_of_each(sandbox)[2]["attributes"]["body"]


def test_an_error_page_in_place_of_a_recording_is_none(bridge: Bridge, sandbox: RunningSandbox) -> None:
    page = base64.b64encode(b"<html>Try again</html>" * 10).decode()
    sandbox.cloudtalk.add_call(
        id=1000000500, uuid=UUID, external_number="+441632960304", recorded=True, recording_wav=page
    )
    bridge.receive("call-ended", ended())
    bridge.receive("recording-uploaded", {"call_id": 1000000500})
    bridge.run_jobs_for(60, step_s=5)

    assert "Recording: still to come" in one_of_each(sandbox)[2]["attributes"]["body"]
    assert "recording" not in bridge.record(f"uuid:{UUID}").observations


def test_the_length_of_a_short_sound_is_told_in_tenths(bridge: Bridge, sandbox: RunningSandbox) -> None:
    assert _fetched(bridge, sandbox, wav(HALF, after=chunk(b"C2PA", bytes(4000))))[0] == "attached (0.5 s)"


def test_a_public_link_is_found_inside_what_a_tool_put_around_it() -> None:
    link = "https://my.cloudtalk.io/pub/r/MTAwMDAwMDUwMA==/eA==.wav"

    for body in ({"recording_url": link}, {"body": {"call_id": 5, "recording_url": link}}):
        assert _link_in(body) == link
    assert _link_in({"body": json.dumps({"call_id": 5, "recording_url": link})}) == link
    assert _link_in({"call_id": 5}) is None
