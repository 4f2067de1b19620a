"""What the page of a call says first: states as a table."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.domain.recording import RecordingState
from bridge.reports.call_story import story_of


def job(kind: str = "sync", state: str = "due", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "state": state, "attempts": 0, "error": None, "cause": None, **more}


WRITTEN = {"note": {"id": "n"}}


@pytest.mark.parametrize(
    ("state", "reason", "outputs", "jobs", "says", "tone", "mends"),
    [
        ("synced", None, WRITTEN, [], "This call is in Kustomer, 4 s after it ended.", "good", None),
        ("waiting", "details pending", WRITTEN, [], "This call is in Kustomer, 4 s after", "good", None),
        (
            "waiting",
            "the call has not ended",
            {},
            [],
            "This call is not in Kustomer yet: the call has not ended.",
            "info",
            "look",
        ),
        (
            "skipped",
            "internal call",
            {},
            [],
            "This call is not in Kustomer, on purpose: internal call.",
            "idle",
            None,
        ),
        (
            "parked",
            "sync: x",
            {},
            [job(state="parked", cause="SeveralCustomers", error="2 customers have this number")],
            "This call waits for you: 2 customers have this number.",
            "warn",
            None,
        ),
        (
            "parked",
            "sync: x",
            {},
            [job(state="parked", error="422 no such field.")],
            "This call is not in Kustomer: its sync was given up. 422 no such field.",
            "bad",
            "sync",
        ),
        (
            "parked",
            "recording: x",
            WRITTEN,
            [job("recording", "parked", cause="too large")],
            "This call is in Kustomer, but part of it is missing: its recording was given up. too large.",
            "bad",
            "look",
        ),
        (
            "behind",
            "sync: 503 from Kustomer",
            {},
            [job(state="waiting", attempts=3, error="503 from Kustomer")],
            "This call is not in Kustomer yet: tried 3 times, sync: 503 from Kustomer.",
            "warn",
            "sync",
        ),
        ("behind", None, {}, [job(state="running")], "This call is being written now.", "info", None),
        ("behind", None, {}, [job(state="due")], "This call is about to be written.", "info", None),
        ("behind", None, {}, [], "This call is not in Kustomer, and nothing is planned", "bad", "sync"),
    ],
)
def test_the_first_sentence_says_how_the_call_stands_and_what_mends_it(
    state: str,
    reason: str | None,
    outputs: dict[str, Any],
    jobs: list[dict[str, Any]],
    says: str,
    tone: str,
    mends: str | None,
) -> None:
    view = {"state": state, "reason": reason, "outputs": outputs, "jobs": jobs}

    story = story_of(view, after_s=4 if outputs else None, sound=RecordingState.NONE)

    assert story.says.startswith(says) and story.says.endswith(".") and ".." not in story.says
    assert (story.tone, story.mends) == (tone, mends)


def test_a_recording_that_is_to_come_is_said() -> None:
    view = {"state": "synced", "reason": "", "outputs": WRITTEN, "jobs": []}

    assert "still to come" in story_of(view, after_s=None, sound=RecordingState.COMING).do
