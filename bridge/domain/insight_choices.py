"""Which insights the rules want of a call, which CloudTalk is still to be asked for, and what may be written.

Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from bridge.domain.call import Call
from bridge.domain.insights import (
    DETAILS_LINK,
    SENTIMENT,
    SMART_NOTES,
    SUMMARY,
    TALK_RATIO,
    TOPICS,
    TRANSCRIPT,
    Insights,
    in_order,
)
from bridge.domain.outcome import Outcome
from bridge.domain.rules.model import Rules


def chosen(rules: Rules) -> tuple[str, ...]:
    """What the rules want of a call that webhooks may leave out, in the order of the note."""
    wanted = {
        SUMMARY: rules.summary is True,
        SENTIMENT: rules.sentiment,
        SMART_NOTES: rules.smart_notes,
        TOPICS: rules.topics,
        TALK_RATIO: rules.talk_ratio,
        DETAILS_LINK: rules.details_link,
        TRANSCRIPT: rules.transcript in ("note", "file"),
    }
    return in_order(name for name, is_wanted in wanted.items() if is_wanted)


def may_have_insights(call: Call) -> bool:
    """Whether somebody spoke: of a call with talk time, or a voicemail with a recording."""
    if call.outcome is Outcome.VOICEMAIL:
        return bool(call.recorded)
    return call.outcome is Outcome.ANSWERED


def pending(call: Call, rules: Rules) -> tuple[str, ...]:
    """What is chosen, and neither came by webhook, nor was answered, nor given up."""
    if not call.ended or not may_have_insights(call):
        return ()
    there = set(call.insights.answered | call.insights.gone.keys())
    if call.summary:
        there.add(SUMMARY)
    if call.transcript:
        there.add(TRANSCRIPT)
    return tuple(name for name in chosen(rules) if name not in there)


def lacks_file(call: Call, rules: Rules) -> bool:
    """Whether a transcript that came by webhook is to be kept as a file; costs no request."""
    if rules.transcript != "file" or not call.transcript or not call.ended:
        return False
    file = call.insights.file
    return file is None or file.sha256 != hashlib.sha256(file_text(call.transcript)).hexdigest()


def file_text(text: str) -> bytes:
    """A transcript as the bytes of its file; the mark in front tells all programs that it is UTF-8."""
    return f"\ufeff{text.rstrip()}\n".encode()


def as_chosen(call: Call, rules: Rules) -> Call:
    """The call with what the rules want to have written of its insights.

    What a webhook has counts before an answer. Where the rules choose nothing, what webhooks have is written.
    """
    known = call.insights
    wanted = set(chosen(rules))
    summary = None if rules.summary is False else call.summary or (known.summary if rules.summary else None)
    text = None if rules.transcript == "none" else call.transcript
    has_transcript = TRANSCRIPT in wanted and not text
    there = {name for name, value in ((SUMMARY, summary), (TRANSCRIPT, text)) if value}
    return replace(
        call,
        summary=summary,
        transcript=text,
        insights=Insights(
            summary=summary,
            sentiment=known.sentiment if SENTIMENT in wanted else None,
            smart_notes=known.smart_notes if SMART_NOTES in wanted else {},
            topics=known.topics if TOPICS in wanted else (),
            talk_ratio=known.talk_ratio if TALK_RATIO in wanted else {},
            details_link=known.details_link if DETAILS_LINK in wanted else None,
            transcript=known.transcript if has_transcript else None,
            file=known.file if rules.transcript == "file" and not known.refused_file else None,
            answered=known.answered,
            gone={name: why for name, why in known.gone.items() if name in wanted - there},
            refused_file=known.refused_file,
        ),
    )
