"""What is known of a call's recording, and what may be done with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from bridge.domain.call import Call
from bridge.domain.phone import read_phone
from bridge.domain.rules.model import Rules


class RecordingState(Enum):
    """How far a recording has come."""

    NONE = auto()  # nobody said that there is one
    UNWANTED = auto()  # the rules say not to fetch it
    COMING = auto()  # announced, not in our storage yet
    STORED = auto()
    GONE = auto()  # CloudTalk has it no more, or never had it; the reason is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One file in the operator's storage. `size` in bytes, `sha256` in hex."""

    name: str
    content_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is known of a call's recording. `speech`: the small file made of it for people to play."""

    sound: RecordingState
    original: Stored | None = None
    speech: Stored | None = None
    seconds: float | None = None
    # What the file is, where it is not a WAV that all browsers play; and whether they play it.
    kind: str = ""
    plays: bool = True
    reason: str = ""
    # Why Kustomer would not take it as an attachment.
    refused: str = ""

    @property
    def is_empty(self) -> bool:
        """A file without any sound in it."""
        return self.sound is RecordingState.STORED and self.seconds == 0

    @property
    def settled(self) -> bool:
        """Nothing more will be learnt of it."""
        return self.sound is not RecordingState.COMING


NO_RECORDING = Recording(sound=RecordingState.NONE)


def read_recording(
    call: Call,
    rules: Rules,
    *,
    stored: Mapping[str, Any] | None,
    gone: Mapping[str, Any] | None,
    refused: str = "",
) -> Recording:
    """The recording of a call.

    Args:
        stored, gone: bodies of the observations `recording` and `recording_gone`, if there are any.
        refused: why Kustomer would not take the attachment, if it said so.
    """
    if stored is not None:
        speech = stored.get("speech")
        return Recording(
            sound=RecordingState.STORED,
            original=Stored(**stored["original"]),
            speech=Stored(**speech) if speech else None,
            seconds=stored.get("seconds"),
            kind=str(stored.get("kind") or ""),
            plays=stored.get("plays") is not False,
            refused=refused,
        )
    if not call.recorded:
        return NO_RECORDING
    if not may_record(call, rules):
        return Recording(sound=RecordingState.UNWANTED)
    if gone is not None:
        return Recording(sound=RecordingState.GONE, reason=str(gone.get("reason", "")))
    return Recording(sound=RecordingState.COMING)


def may_record(call: Call, rules: Rules) -> bool:
    """Whether the rules let this call's recording be fetched; lines and numbers can be listed as private."""
    if not rules.record:
        return False
    listed = {read_phone(number, region=rules.region) for number in rules.do_not_record}
    return call.external not in listed and call.internal not in listed


def attachment_of(recording: Recording, rules: Rules) -> Stored | None:
    """The file to attach; None where nothing can be heard of it, or the rules or its size forbid it."""
    if recording.is_empty or not recording.plays:
        return None
    if recording.sound is not RecordingState.STORED or rules.attach == "never" or recording.refused:
        return None
    file = recording.speech if rules.attach == "speech" and recording.speech else recording.original
    return file if file is not None and 0 < file.size <= rules.largest_attachment else None
