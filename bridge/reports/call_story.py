"""What happened to one call, in a sentence, and what would mend it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bridge.domain.outputs import TEXTS
from bridge.domain.recording import RecordingState
from bridge.wording import times

Tone = Literal["good", "info", "warn", "bad", "idle"]
# What a person may do with a call; the first of a story is what mends it.
Action = Literal["sync", "look", "park", "drop", "forget", "assign"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """
    Attributes:
        says: how the call stands, in one sentence.
        do: what happens next by itself, or what a person would do.
        mends: what mends it; None where nothing has to be mended.
    """

    tone: Tone
    says: str
    do: str = ""
    mends: Action | None = None


def story_of(view: Mapping[str, Any], *, after_s: float | None, sound: RecordingState) -> Story:
    """How a call stands.

    Args:
        view: as `reports.views.call_view` gives it.
        after_s: seconds from the call's end to its note.
        sound: what is known of its recording.
    """
    state, reason = view["state"], str(view["reason"] or "").rstrip(".")
    in_kustomer = any(name in view["outputs"] for name in TEXTS)
    if state == "parked":
        return _parked(view["jobs"], in_kustomer=in_kustomer)
    if state == "skipped":
        return Story(
            tone="idle",
            says=f"This call is not in Kustomer, on purpose: {reason or 'the rules leave it out'}.",
            do="If it should be there, change the rules, then sync it.",
        )
    if state == "synced" or (in_kustomer and state == "waiting"):
        late = f", {_span(after_s)} after it ended" if after_s is not None else ""
        return Story(
            tone="good", says=f"This call is in Kustomer{late}.", do=_upper(reason) or _of_sound(sound)
        )
    if state == "behind":
        return _behind(view["jobs"], reason, in_kustomer=in_kustomer)
    return Story(
        tone="info",
        says=f"This call is not in Kustomer yet: {reason or 'it has not ended, as far as the bridge knows'}.",
        do="It is written once it has ended; if CloudTalk does not say so, the bridge asks after 2 hours.",
        mends="look",
    )


def _parked(jobs: Sequence[Mapping[str, Any]], *, in_kustomer: bool) -> Story:
    job = next(one for one in jobs if one["state"] == "parked")
    if job["cause"] == "SeveralCustomers":
        return Story(
            tone="warn",
            says=f"This call waits for you: {str(job['error']).rstrip('.')}.",
            do="Choose the customer under Whose call it is; the calls of this number follow.",
        )
    why = str(job["error"] or job["cause"] or "no reason is known").rstrip(".")
    there = "is in Kustomer, but part of it is missing" if in_kustomer else "is not in Kustomer"
    return Story(
        tone="bad",
        says=f"This call {there}: its {job['kind']} was given up. {why}.",
        do="Mend the cause, then press the button; or drop the call if nobody needs it.",
        mends="look" if job["kind"] == "recording" else "sync",
    )


def _behind(jobs: Sequence[Mapping[str, Any]], reason: str, *, in_kustomer: bool) -> Story:
    job = next((one for one in jobs if one["kind"] == "sync"), None)
    what = "The latest of this call is" if in_kustomer else "This call is"
    if job is None:
        return Story(
            tone="bad",
            says=f"{what} not in Kustomer, and nothing is planned for it.",
            do="Sync it.",
            mends="sync",
        )
    if job["attempts"]:
        tried = f"tried {times(job['attempts'])}"
        return Story(
            tone="warn",
            says=f"{what} not in Kustomer yet: {tried}, {reason or 'it failed'}.",
            do="It is tried again by itself; to try at once, sync it.",
            mends="sync",
        )
    running = job["state"] == "running"
    return Story(
        tone="info",
        says=f"{what} {'being written now' if running else 'about to be written'}.",
        do="" if running else "It waits for a worker, or for its place in the budget.",
    )


def _of_sound(sound: RecordingState) -> str:
    return {
        RecordingState.COMING: "Its recording is still to come.",
        RecordingState.GONE: "Its recording could not be stored.",
    }.get(sound, "")


def _upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
