"""The sandbox's Conversation Intelligence: as strict as CloudTalk's, each path with a state of its own."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.clients.http import make_client
from bridge.sandbox import AI_PREFIX, CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET
from bridge.sandbox.running import RunningSandbox


def _get(sandbox: RunningSandbox, path: str, *, signed_in: bool = True) -> tuple[int, Any]:
    auth = (CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET) if signed_in else None
    with make_client() as client:
        answer = client.get(f"{sandbox.cloudtalk.url}{AI_PREFIX}/ai/calls/{path}", auth=auth)
        return answer.status_code, answer.json()


def test_each_path_is_there_once_it_is_ready(sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(id=1000000110, insights={"ready_after": 1, "without": ["topics"]})
    sandbox.cloudtalk.add_call(id=1000000111)

    assert [_get(sandbox, "1000000110/summary")[0] for _ in range(2)] == [404, 200]
    assert [_get(sandbox, "1000000110/overall-sentiment")[0] for _ in range(2)] == [404, 200]
    assert [_get(sandbox, "1000000110/topics")[0] for _ in range(2)] == [404, 404]
    assert _get(sandbox, "1000000111/summary")[0] == 404
    assert _get(sandbox, "1000000110/summary")[1]["callId"] == 1000000110


def test_a_transcript_comes_in_pages(sandbox: RunningSandbox) -> None:
    said = [("agent", f"Sentence {n}.") for n in range(12)]
    sandbox.cloudtalk.add_call(id=1000000110, insights={"segments": said})

    found = [_get(sandbox, f"1000000110/transcription?offset={offset}")[1] for offset in (0, 10)]

    assert [len(page["data"]["segments"]) for page in found] == [10, 2]
    assert [page["pagination"]["total"] for page in found] == [12, 12]
    assert _get(sandbox, "1000000110/transcription?limit=0")[0] == 400


@pytest.mark.parametrize(
    ("path", "add_on", "signed_in", "status"),
    [
        ("1000000110/summary", "403", True, 403),
        ("1000000110/summary", "404", True, 404),
        ("1000000110/summary", "there", False, 401),
        ("uuid/summary", "there", True, 400),
        ("1000000110/nothing", "there", True, 404),
    ],
)
def test_what_cannot_be_answered_is_refused(
    sandbox: RunningSandbox, path: str, add_on: str, signed_in: bool, status: int
) -> None:
    sandbox.cloudtalk.add_call(id=1000000110, insights={})
    sandbox.cloudtalk.read_as(ai_add_on=add_on)

    assert _get(sandbox, path, signed_in=signed_in)[0] == status
