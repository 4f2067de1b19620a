"""Choices of `[insights]`: what is asked of CloudTalk's AI."""

from __future__ import annotations

from typing import Literal

from bridge.domain.rules.choice import BOOL, Choice, one_of

_Transcript = Literal["note", "file", "none"]

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="insights", name="summary", field="", kind=bool, right=BOOL,
        says="no effect yet: ask for the summary",
    ),
    Choice(
        section="insights", name="sentiment", field="", kind=bool, right=BOOL,
        says="no effect yet: ask for the sentiment",
    ),
    Choice(
        section="insights", name="smart_notes", field="", kind=bool, right=BOOL,
        says="no effect yet: ask for smart notes",
    ),
    Choice(
        section="insights", name="transcript", field="", kind=_Transcript, right=one_of(_Transcript),
        says="no effect yet: ask for the transcript",
    ),
)  # fmt: skip
