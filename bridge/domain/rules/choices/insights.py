"""Choices of `[insights]`: what is asked of CloudTalk's AI, and written in the note."""

from __future__ import annotations

from bridge.domain.rules import model as rules_model
from bridge.domain.rules.choice import BOOL, Choice, one_of

# Asked again at growing distances (`jobs/insights.py`) while CloudTalk does not have it.
_NEVER = "up to 8 if CloudTalk never has it"
_ONE = f"1 of CloudTalk, {_NEVER}, and the note is updated once more"
_ALSO = f"1 of CloudTalk, {_NEVER}"

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="insights", name="summary", field="summary", kind=bool, right=BOOL, example="true",
        says="the summary, asked for if no webhook brings it; false: left out; no such line: as it comes",
        costs=f"{_ONE}; nothing if a webhook brings it",
    ),
    Choice(
        section="insights", name="sentiment", field="sentiment", kind=bool, right=BOOL,
        says="how the conversation sounded, from very negative to very positive", costs=_ALSO,
    ),
    Choice(
        section="insights", name="smart_notes", field="smart_notes", kind=bool, right=BOOL,
        says="action items, decisions, open questions, dates, risks, feedback", costs=_ALSO,
    ),
    Choice(
        section="insights", name="topics", field="topics", kind=bool, right=BOOL,
        says="what was talked about, in a few words", costs=_ALSO,
    ),
    Choice(
        section="insights", name="talk_ratio", field="talk_ratio", kind=bool, right=BOOL,
        says="which part of the time each side talked", costs=_ALSO,
    ),
    Choice(
        section="insights", name="details_link", field="details_link", kind=bool, right=BOOL,
        says="a link to CloudTalk's page of the call, for people who sign in there", costs=_ALSO,
    ),
    Choice(
        section="insights", name="transcript", field="transcript", kind=rules_model.WrittenTranscript,
        right=one_of(rules_model.WrittenTranscript), example='"file"',
        says="in the note, as much as fits; file: all of it as a text file if it does not fit; none: not at "
        "all; no such line: as it comes",
        costs=f"1 of CloudTalk for 1,000 segments, {_NEVER}; a file 1 of Kustomer; nothing of CloudTalk "
        "if a webhook brings it",
    ),
)  # fmt: skip
