"""The files that a call has in Kustomer beside its note: its recording and its transcript. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.domain.call import Call
from bridge.domain.outcome import Outcome
from bridge.domain.recording import Recording, Stored, attachment_of
from bridge.domain.rules.model import Rules

_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentDraft:
    """A file wanted at the note: its name for people, and where it is in our storage.

    Args:
        output: its name on the call's record.
    """

    output: str
    name: str
    file: Stored


def transcript_file(call: Call) -> AttachmentDraft | None:
    """The transcript as a text file; None where there is none, or the rules do not want it."""
    file = call.insights.file
    if file is None:
        return None
    stored = Stored(name=file.name, content_type=_TEXT, size=file.size, sha256=file.sha256)
    return AttachmentDraft(
        output="transcript", name=f"transcript-{call.call_id or call.uuid}.txt", file=stored
    )


def files_of(
    call: Call, recording: Recording, rules: Rules, transcript: AttachmentDraft | None
) -> Iterator[AttachmentDraft]:
    """The files of a call.

    Args:
        transcript: where the note does not say all of it.
    """
    file = attachment_of(recording, rules)
    if file is not None:
        kind = "voicemail" if call.outcome is Outcome.VOICEMAIL else "call"
        ending = file.name.rsplit(".", 1)[-1]
        name = f"{kind}-{call.call_id or call.uuid}.{ending}"
        yield AttachmentDraft(output="attachment", name=name, file=file)
    if transcript is not None:
        yield transcript
