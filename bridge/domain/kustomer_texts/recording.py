"""What a note says of the recording."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge.domain.kustomer_texts.catalogue.ids import MessageId
from bridge.domain.kustomer_texts.texts import Texts
from bridge.domain.recording import Recording, RecordingState, attachment_of
from bridge.domain.rules.model import Rules

# Reasons as records have them, in English (`bridge/jobs/recording.py`).
_GONE: Mapping[str, MessageId] = {
    "expired or deleted in CloudTalk": "recording_expired",
    "empty in CloudTalk": "recording_empty_there",
    "never appeared in CloudTalk": "recording_never_came",
}
_TOO_LARGE = re.compile(r"over (\d+) MB, so it is left in CloudTalk")


def recording_state(recording: Recording, rules: Rules, link: str, texts: Texts) -> str:
    """Such as `attached (1 min 37 s)`; empty where there is no recording.

    Args:
        link: where people can play it, for a note that cannot have it attached.
    """
    match recording.sound:
        case RecordingState.COMING:
            return texts.say("recording_coming")
        case RecordingState.UNWANTED:
            return texts.say("recording_unwanted")
        case RecordingState.GONE:
            return _gone(recording.reason, texts)
        case RecordingState.STORED if recording.is_empty:
            return texts.say("recording_empty")
        case RecordingState.STORED if not recording.plays:
            state = link or texts.say("recording_kept")
            return texts.say("recording_unplayable", state=state, kind=recording.kind)
        case RecordingState.STORED:
            is_attached = attachment_of(recording, rules) is not None
            state = texts.say("recording_attached") if is_attached else link or texts.say("recording_kept")
            if recording.seconds is None:
                return state
            length = texts.sound_length(recording.seconds)
            return texts.say("recording_length", state=state, length=length)
        case RecordingState.NONE:
            return ""


def _gone(reason: str, texts: Texts) -> str:
    if known := _GONE.get(reason):
        return texts.say(known)
    if size := _TOO_LARGE.fullmatch(reason):
        return texts.say("recording_too_large", size=size[1])
    return reason
