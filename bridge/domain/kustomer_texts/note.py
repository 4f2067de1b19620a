"""The note that a support agent reads: plain text, the most telling thing first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.path import ai_agent_line, extracted_lines, path_lines
from bridge.domain.kustomer_texts.spans import clock_span, span
from bridge.domain.moments import zone_name
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.participation import who_answered
from bridge.domain.phone import Kind, Phone

# Kustomer: note body 1 to 10240 characters (documented). Counted as JavaScript counts, in UTF-16
# units, which is the stricter reading wherever the text holds an emoji.
LONGEST_NOTE = 10_240
_LONGEST_AGENT_NOTE = 3_000
_LONGEST_SUMMARY = 3_000
_CUT = " … (shortened)"
_SENTENCE_END = re.compile(r"(?<=[.!?…。])[\"'”’)]*\s")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# What other people wrote stands behind this, line by line: none of it can then be taken for a line of ours.
_MARK = "> "
_NOTES, _SUMMARY, _TRANSCRIPT = "Agent's notes", "Summary", "Transcript"
_TITLES = (_NOTES, _SUMMARY, _TRANSCRIPT)


def note_text(
    call: Call, *, zone: str = "UTC", sound: str = "", life: Iterable[str] = (), mark: str = _MARK
) -> str:
    """The note for a call, at most `LONGEST_NOTE` characters; the same call gives the same text.

    Args:
        sound: what is to be said of the recording; nothing where there is none.
        life: of a missed call, how often it was repeated, and who called back (`bridge.domain.missed`).
        mark: in front of each line that somebody else wrote.
    """
    text = "\n".join([headline(call), "", *life, *_lines(call, ZoneInfo(zone), sound)])
    for title, body, longest in (
        (_NOTES, call.notes, _LONGEST_AGENT_NOTE),
        (_SUMMARY, call.summary, _LONGEST_SUMMARY),
        (_TRANSCRIPT, call.transcript, LONGEST_NOTE),
    ):
        room = LONGEST_NOTE - length(text) - length(f"\n\n{title}\n")
        if body and room > 200:
            text += f"\n\n{title}\n{cut(_marked(body, mark), min(longest, room))}"
    return cut(text, LONGEST_NOTE)


def note_before_marks(call: Call, *, zone: str, sound: str, life: Iterable[str] = ()) -> str:
    """The same note as it was written before lines of others were marked."""
    return note_text(call, zone=zone, sound=sound, life=life, mark="")


def _marked(text: str, mark: str) -> str:
    """Every line marked, whatever Unicode takes for the end of a line."""
    return "\n".join(f"{mark}{line}".rstrip() for line in text.splitlines()) if mark else text


def headline(call: Call) -> str:
    """Outcome and direction in one line: `Missed incoming call`."""
    match call.outcome, call.direction:
        case Outcome.INTERNAL, _:
            return "Internal call"
        case Outcome.ANSWERED, Direction.INCOMING:
            return "Answered incoming call"
        case Outcome.ANSWERED, Direction.OUTGOING:
            return "Outgoing call, answered"
        case Outcome.MISSED, Direction.INCOMING:
            return "Missed incoming call"
        case Outcome.MISSED, Direction.OUTGOING:
            return "Outgoing call, no answer"
        case Outcome.VOICEMAIL, Direction.OUTGOING:
            return "Outgoing call, reached voicemail"
        case Outcome.VOICEMAIL, _:
            return "Voicemail"
        case Outcome.ANSWERED, _:
            return "Answered call"
        case Outcome.MISSED, _:
            return "Missed call"
        case _, Direction.INCOMING:
            return "Incoming call"
        case _, Direction.OUTGOING:
            return "Outgoing call"
        case _:
            return "Call"


def who(call: Call) -> str:
    """The other side, for a title: the contact's name, else the number."""
    return call.contact_name or (call.external.spoken if call.external else "unknown number")


def _people(call: Call) -> Iterator[str]:
    other = "Called" if call.direction is Direction.OUTGOING else "Caller"
    if call.contact_name and call.external and call.external.kind is not Kind.WITHHELD:
        yield f"{other}: {call.contact_name}, {call.external.spoken}"
    elif call.external or call.contact_name:
        yield f"{other}: {who(call)}"
    if line := _line(call.line_name, call.internal):
        yield f"Our line: {line}"
    if call.agent_name or call.agent_id is not None:
        yield f"Agent: {call.agent_name or f'no. {call.agent_id}'}"
    if agents := _agents(call):
        yield f"Agents: {agents}"
    if call.ai_agent:
        yield ai_agent_line(call)
    yield from extracted_lines(call)


def _agents(call: Call) -> str:
    """All who answered, where these are several; with the time of each where all of them are known."""
    answered = who_answered(call)
    if len(answered) < 2:
        return ""
    timed = all(one.talk_seconds for one in answered)
    names = (one.name or (f"no. {one.agent_id}" if one.agent_id else "unknown") for one in answered)
    return ", ".join(
        f"{name} ({clock_span(one.talk_seconds)})" if timed else name
        for name, one in zip(names, answered, strict=True)
    )


def _lines(call: Call, zone: ZoneInfo, sound: str) -> Iterator[str]:
    yield from _people(call)
    if when := _when(call, zone):
        yield f"When: {when}"
    if times := _times(call):
        yield f"Times: {times}"
    yield from path_lines(call)
    if call.tags:
        yield f"Call tags: {cut(', '.join(call.tags), 500)}"
    if call.rating is not None:
        yield f"Rating: {call.rating} of 5"
    if sound:
        yield f"{'Voicemail' if call.outcome is Outcome.VOICEMAIL else 'Recording'}: {sound}"
    if call.wants_detail:
        yield "Still to come: details from CloudTalk"
    if call.call_id is not None:
        yield _number_line(call.call_id)


def _number_line(call_id: int) -> str:
    return f"CloudTalk call: {call_id}"


def says_call(body: str, call_id: int) -> bool:
    """Whether a note is of the call with this number.

    Only above what other people wrote: notes of earlier versions have it unmarked.
    """
    ours = takewhile(lambda line: line not in _TITLES, map(str.strip, body.splitlines()))
    return _number_line(call_id) in ours


def _line(name: str | None, number: Phone | None) -> str:
    return ", ".join(part for part in (name, number.spoken if number else None) if part)


def _when(call: Call, zone: ZoneInfo) -> str:
    if call.started_at is None:
        return _moment(call.ended_at, zone, prefix="ended ") if call.ended_at else ""
    start = _moment(call.started_at, zone)
    if call.ended_at is None or call.ended_at <= call.started_at:
        return start
    end = call.ended_at.astimezone(zone)
    if _moment(end, zone) == start:
        return start
    same_day = end.date() == call.started_at.astimezone(zone).date()
    clock = end.strftime("%H:%M") if same_day else f"{_day(end)}, {end:%H:%M}"
    day_and_clock, name = start.rsplit(" ", 1)
    # Both moments have a zone of their own while the clocks change.
    begun = day_and_clock if name == zone_name(end) else start
    return f"{begun} to {clock} {zone_name(end)}"


def _moment(moment: datetime, zone: ZoneInfo, *, prefix: str = "") -> str:
    local = moment.astimezone(zone)
    return f"{prefix}{_day(local)}, {local:%H:%M} {zone_name(local)}"


def _day(local: datetime) -> str:
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}"


def _times(call: Call) -> str:
    ring = call.ring_seconds if call.ring_seconds is not None else call.wait_seconds
    word = "rang" if call.ring_seconds is not None or call.direction is Direction.OUTGOING else "waited"
    parts = [
        f"{word} {span(ring)}" if ring is not None else "",
        f"talked {span(call.talk_seconds)}" if call.talk_seconds else "",
        f"on hold {span(call.hold_seconds)}" if call.hold_seconds else "",
    ]
    return ", ".join(part for part in parts if part)


def sound_length(seconds: float) -> str:
    """As `span`, and tenths of what is shorter than a second: no sound that there is lasts 0 s."""
    return f"{max(seconds, 0.1):.1f} s" if seconds < 0.95 else span(round(seconds))


def length(text: str) -> int:
    """Characters in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, longest: int) -> str:
    """At most `longest` characters, cut at the end of a sentence where one is near, else at a word."""
    if length(text) <= longest:
        return text
    room = longest - len(_CUT)
    kept = text[:room]
    while (over := length(kept) - room) > 0:
        # A character has two units at most.
        kept = kept[: -((over + 1) // 2)]
    ends = [m.end() for m in _SENTENCE_END.finditer(kept)]
    if ends and ends[-1] >= len(kept) // 2:
        kept = kept[: ends[-1]]
    elif (blank := kept.rfind(" ")) >= len(kept) // 2:
        kept = kept[:blank]
    return kept.rstrip() + _CUT
