from __future__ import annotations

import base64
import hashlib
import io
import time
import tracemalloc
import wave

import httpx2
import pytest

from bridge.sandbox import CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET
from bridge.sandbox.handles import CloudTalkHandle
from bridge.sandbox.running import RunningSandbox


def said(answer: httpx2.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.headers["content-type"], answer.json()["responseData"]["message"]


def test_a_recorded_call_has_the_sound_of_its_length(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    cloudtalk.add_call(id=1, recorded=True, talking_time=21)

    answer = core.get("/calls/recording/1.json")

    assert answer.headers["content-type"] == "audio/x-wav"
    assert int(answer.headers["content-length"]) == len(answer.content) == 44 + 21 * 16000
    assert answer.content == cloudtalk.recording_of(1)
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
        assert sound.getnframes() == 21 * 8000
        frames = memoryview(sound.readframes(21 * 8000)).cast("h")
    loudest = [max(frames[at : at + 8000]) for at in range(0, len(frames), 8000)]
    assert max(loudest) > 2000 and len(set(loudest)) > 2


def test_each_call_sounds_different_and_always_the_same(cloudtalk: CloudTalkHandle) -> None:
    for call_id in (1, 2):
        cloudtalk.add_call(id=call_id, recorded=True, talking_time=30)

    first, second = (cloudtalk.recording_of(call_id) for call_id in (1, 2))

    assert first != second
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(cloudtalk.recording_of(1)).hexdigest()


def test_the_bytes_can_be_given_and_the_length_too(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    cloudtalk.add_call(id=1, recording_wav=b"RIFF....WAVE")
    cloudtalk.add_call(id=2, recording_seconds=3, talking_time=60)

    assert core.get("/calls/recording/1.json").content == b"RIFF....WAVE"
    assert len(core.get("/calls/recording/2.json").content) == 44 + 3 * 16000


def test_what_is_not_there_is_refused_and_still_announced_as_sound(
    cloudtalk: CloudTalkHandle, core: httpx2.Client
) -> None:
    cloudtalk.add_call(id=1)
    cloudtalk.add_call(id=2, recorded=True, recording_expired=True)
    cloudtalk.add_call(id=3, recorded=True, in_progress=True)

    assert said(core.get("/calls/recording/1.json")) == (404, "audio/x-wav", "Not found.")
    assert said(core.get("/calls/recording/2.json")) == (410, "audio/x-wav", "Recording expired.")
    assert said(core.get("/calls/recording/3.json")) == (404, "audio/x-wav", "Not found.")
    assert said(core.get("/calls/recording/9.json")) == (404, "audio/x-wav", "Not found.")


def test_a_recording_can_come_late(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    call = {"id": 7, "recorded": True, "talking_time": 1, "recording_ready_after": 2}
    httpx2.post(cloudtalk.url + "/_sandbox/calls", json=call)

    assert [core.get("/calls/recording/7.json").status_code for _ in range(3)] == [404, 404, 200]


def test_recordings_take_from_the_budget_as_any_other_request(
    cloudtalk: CloudTalkHandle, core: httpx2.Client
) -> None:
    cloudtalk.add_call(id=1, recorded=True, talking_time=1)
    cloudtalk.limit(1)

    assert [core.get("/calls/recording/1.json").status_code for _ in range(2)] == [200, 429]
    assert httpx2.get(cloudtalk.url + "/core/api/calls/recording/1.json").status_code == 401


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [("bytes=0-", 0, 16044), ("bytes=40-", 40, 16044), ("bytes=50-59", 50, 60), ("bytes=-5", 16039, 16044)],
)
def test_a_part_can_be_asked_for(
    cloudtalk: CloudTalkHandle, core: httpx2.Client, wanted: str, start: int, end: int
) -> None:
    cloudtalk.add_call(id=1, recorded=True, talking_time=1)
    whole = cloudtalk.recording_of(1)

    answer = core.get("/calls/recording/1.json", headers={"Range": wanted})

    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/16044"
    assert answer.headers["etag"] == core.get("/calls/recording/1.json").headers["etag"]
    assert answer.content == whole[start:end]


def test_a_part_behind_the_end_or_of_another_file_is_not_given(
    cloudtalk: CloudTalkHandle, core: httpx2.Client
) -> None:
    cloudtalk.add_call(id=1, recorded=True, talking_time=1)

    behind = core.get("/calls/recording/1.json", headers={"Range": "bytes=16044-"})
    other = core.get("/calls/recording/1.json", headers={"Range": "bytes=9-", "If-Range": '"other"'})

    assert (behind.status_code, behind.headers["content-range"]) == (416, "bytes */16044")
    assert (other.status_code, len(other.content)) == (200, 16044)


def test_ranges_and_the_length_are_readings(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    cloudtalk.add_call(id=1, recorded=True, talking_time=1)
    cloudtalk.read_as(recording_ranges=False, recording_length_header=False)

    answer = core.get("/calls/recording/1.json", headers={"Range": "bytes=10-"})

    assert answer.status_code == 200
    assert answer.content == cloudtalk.recording_of(1)
    assert answer.headers["transfer-encoding"] == "chunked"
    assert not {"content-length", "etag", "accept-ranges"} & set(answer.headers)


def test_a_redirect_is_a_reading(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    cloudtalk.add_call(id=1, recorded=True)
    cloudtalk.read_as(recording_redirect="http://elsewhere.example/x.wav")

    answer = core.get("/calls/recording/1.json")

    assert (answer.status_code, answer.headers["location"]) == (302, "http://elsewhere.example/x.wav")
    assert core.get("/calls/recording/2.json").status_code == 404


def test_whoever_has_the_public_link_can_listen(cloudtalk: CloudTalkHandle) -> None:
    cloudtalk.add_call(id=1000000110, recorded=True, talking_time=1)
    link = cloudtalk.public_link_of(1000000110)
    guessed = link.replace(link[-12:-8], "AAAA")

    assert "/pub/r/MTAwMDAwMDExMA%3D%3D/" in link
    assert httpx2.get(link).content == cloudtalk.recording_of(1000000110)
    assert httpx2.get(link.replace("%3D", "=")).status_code == 200
    assert httpx2.get(guessed).status_code == 404
    assert httpx2.get(cloudtalk.url + "/pub/r/MTA=/x.wav").status_code == 404


def test_a_deleted_recording_is_gone_for_good(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    cloudtalk.add_call(id=1, recorded=True, talking_time=1)
    cloudtalk.add_call(id=2)

    first = core.delete("/recordings/delete/1.json")
    again = core.delete("/recordings/delete/1.json")

    assert (first.status_code, first.json()) == (200, {"responseData": {"status": 200}})
    assert said(again) == (410, "application/json", "Recording not found.")
    assert core.delete("/recordings/delete/2.json").status_code == 410
    assert core.delete("/recordings/delete/9.json").status_code == 404
    assert core.get("/calls/recording/1.json").status_code == 410
    assert httpx2.get(cloudtalk.public_link_of(1)).status_code == 410


# Faults


@pytest.mark.parametrize("length_header", [True, False])
@pytest.mark.parametrize(("after", "arrived"), [(None, 8022), (1000, 1000), (0, 0)])
def test_a_transfer_can_be_cut_off(
    cloudtalk: CloudTalkHandle, core: httpx2.Client, after: int | None, arrived: int, length_header: bool
) -> None:
    cloudtalk.add_call(id=1, recorded=True, talking_time=1)
    cloudtalk.read_as(recording_length_header=length_header)
    cloudtalk.cut_next(after, path="/recording/")
    got = b""

    with core.stream("GET", "/calls/recording/1.json") as answer, pytest.raises(httpx2.RemoteProtocolError):
        for piece in answer.iter_raw():
            got += piece

    assert got == cloudtalk.recording_of(1)[:arrived]
    assert (cloudtalk.requests[0].status, cloudtalk.requests[0].fault) == (200, "cut")
    assert core.get("/calls/recording/1.json").status_code == 200


def test_a_transfer_can_be_slow(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    cloudtalk.add_call(id=1, recording_wav=b"x" * 300)
    cloudtalk.slow_next(1000)
    started = time.monotonic()

    content = core.get("/calls/recording/1.json").content

    assert content == b"x" * 300
    assert 0.25 < time.monotonic() - started < 3


@pytest.mark.parametrize("path", ["/calls/recording/1.json", "/calls/index.json"])
def test_a_slow_transfer_ends_when_nobody_listens_any_more(path: str) -> None:
    with RunningSandbox() as running:
        running.cloudtalk.add_call(id=1, recorded=True, talking_time=3600)
        running.cloudtalk.slow_next(100)
        auth = (CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET)
        with httpx2.stream("GET", running.cloudtalk.url + "/core/api" + path, auth=auth) as answer:
            next(answer.iter_raw())
        started = time.monotonic()

    # The server waits a second for a request under way before it ends.
    assert time.monotonic() - started < 0.8


def test_a_page_can_come_instead_of_the_sound(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    cloudtalk.add_call(id=1, recorded=True, talking_time=1)
    cloudtalk.answer_next("<html>Sorry</html>", path="/recording/")
    html = base64.b64encode(b"<p>").decode()
    fault = {"kind": "body", "content": html, "content_type": "audio/x-wav"}
    httpx2.post(cloudtalk.url + "/_sandbox/faults", json=fault)

    page = core.get("/calls/recording/1.json")
    disguised = core.get("/calls/recording/1.json")

    assert (page.status_code, page.text) == (200, "<html>Sorry</html>")
    assert page.headers["content-type"].startswith("text/html")
    assert (disguised.content, disguised.headers["content-type"]) == (b"<p>", "audio/x-wav")
    bad = httpx2.post(cloudtalk.url + "/_sandbox/faults", json={"kind": "body", "content": "<p>"})
    assert bad.status_code == 400


@pytest.mark.slow
def test_a_hundred_megabytes_are_never_held(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    cloudtalk.add_call(id=1, recorded=True, recording_seconds=6250)
    core.get("/calls/recording/1.json", headers={"Range": "bytes=-400000"})  # every tone is made by now
    size = 0
    tracemalloc.start()

    with core.stream("GET", "/calls/recording/1.json") as answer:
        for piece in answer.iter_raw():
            size += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 100_000_044
    assert peak < 4_000_000


# The pages


def test_the_page_plays_what_was_recorded_and_leaves_no_trace(cloudtalk: CloudTalkHandle) -> None:
    cloudtalk.add_call(id=1, recorded=True, talking_time=1, recording_ready_after=5)
    cloudtalk.add_call(id=2)

    page = httpx2.get(cloudtalk.url + "/").text
    heard = httpx2.get(cloudtalk.url + "/_sandbox/recordings/1", headers={"Range": "bytes=0-9"})

    assert page.count("<audio") == 1 and 'src="/_sandbox/recordings/1"' in page
    assert (heard.status_code, heard.content) == (206, cloudtalk.recording_of(1)[:10])
    assert httpx2.get(cloudtalk.url + "/_sandbox/recordings/2").status_code == 404
    assert cloudtalk.requests == []


def test_the_sample_company_can_be_heard() -> None:
    with RunningSandbox(sample=True) as running:
        recorded = [call for call in running.cloudtalk.calls if call["recorded"]]
        sizes = {call["id"]: len(running.cloudtalk.recording_of(call["id"])) for call in recorded}

    assert len(recorded) > 3
    assert all(sizes[call["id"]] == 44 + 16000 * call["talking_time"] for call in recorded)
