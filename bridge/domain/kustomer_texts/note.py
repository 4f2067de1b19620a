"""The note that a support agent reads: plain text, the most telling thing first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache, partial
from itertools import takewhile
from zoneinfo import ZoneInfo

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.catalogue.ids import MessageId
from bridge.domain.kustomer_texts.insights import (
    Section,
    insight_sections,
    never_line,
    to_do_section,
    transcript_of,
    transcript_section,
)
from bridge.domain.kustomer_texts.path import ai_agent_line, extracted_lines, path_lines
from bridge.domain.kustomer_texts.spans import clock_span
from bridge.domain.kustomer_texts.texts import ENGLISH, Texts, in_all_languages
from bridge.domain.moments import zone_name
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.participation import who_answered
from bridge.domain.phone import Kind, Phone

# Kustomer: note body 1 to 10240 characters (documented). Counted as JavaScript counts, in UTF-16
# units, which is the stricter reading wherever the text holds an emoji.
LONGEST_NOTE = 10_240
_LONGEST_AGENT_NOTE = 3_000
_LONGEST_SUMMARY = 3_000
_SENTENCE_END = re.compile(r"(?<=[.!?…。])[\"'”’)]*\s")

# What other people wrote stands behind this, line by line: none of it can then be taken for a line of ours.
MARK = "> "
_TITLES: tuple[MessageId, ...] = ("notes_title", "summary_title", "transcript_title")
# In all languages: other programs, and we, find a call's note by this line.
_NUMBER_LINE = "CloudTalk call: {call_id}"
# A section with less room than this is left out.
_LEAST_ROOM = 200


def note_text(
    call: Call,
    *,
    zone: str = "UTC",
    sound: str = "",
    life: Iterable[str] = (),
    mark: str = MARK,
    texts: Texts = ENGLISH,
    transcript_file: str = "",
) -> str:
    """The note for a call, at most `LONGEST_NOTE` characters; the same call gives the same text.

    Args:
        call: with what the rules want to have written of its insights (`domain.insight_choices.as_chosen`).
        sound: what is to be said of the recording; nothing where there is none.
        life: of a missed call, how often it was repeated, and who called back (`bridge.domain.missed`).
        mark: in front of each line that somebody else wrote.
        transcript_file: name of the attachment that has the transcript, where one can be had.
    """
    local = ZoneInfo(zone)
    when = partial(_moment, zone=local, texts=texts)
    facts = "\n".join(_lines(call, local, sound, texts))
    text = _top(call, list(life), facts, to_do_section(call, texts, when), mark, texts)
    never = never_line(call, texts)
    room = LONGEST_NOTE - (length(f"\n\n{never}") if never else 0)
    sections = (
        Section(title=texts.say("notes_title"), text=call.notes or "", longest=_LONGEST_AGENT_NOTE),
        Section(title=texts.say("summary_title"), text=call.summary or "", longest=_LONGEST_SUMMARY),
        *insight_sections(call, texts, when),
    )
    for section in sections:
        text = _with_section(text, section, mark, texts, room)
    text = _with_transcript(text, call, mark, transcript_file, texts, room)
    return cut(f"{text}\n\n{never}" if never else text, LONGEST_NOTE, texts)


def _top(call: Call, life: list[str], facts: str, to_do: Section | None, mark: str, texts: Texts) -> str:
    """Outcome, what is to be done next, then the facts."""
    first = headline(call, texts)
    if to_do is None:
        return "\n".join([first, "", *life, *([facts] if facts else [])])
    text = "\n\n".join([first, "\n".join(life)]).rstrip()
    return f"{_with_section(text, to_do, mark, texts, LONGEST_NOTE - length(facts) - 2)}\n\n{facts}"


def _with_section(text: str, section: Section, mark: str, texts: Texts, longest: int) -> str:
    """A section as far as there is room for it; nothing of one without text, unless its title is a line."""
    room = longest - length(text) - length(f"\n\n{section.title}\n")
    if room <= _LEAST_ROOM or not (section.text or section.is_line):
        return text
    if not section.text:
        return f"{text}\n\n{section.title}"
    body = cut(_marked(section.text, mark), min(section.longest, room), texts)
    return f"{text}\n\n{section.title}\n{body}"


def _with_transcript(text: str, call: Call, mark: str, file: str, texts: Texts, longest: int) -> str:
    """The whole transcript where it fits, or there is no file of it; else its first lines."""
    whole = transcript_section(call, texts, room=longest)
    if whole is None:
        return text
    with_whole = _with_section(text, whole, mark, texts, longest)
    if not file or says_all(with_whole, call, texts, mark):
        return with_whole
    part = transcript_section(call, texts, room=longest, file_name=file) or whole
    return _with_section(text, part, mark, texts, longest)


def says_all(body: str, call: Call, texts: Texts = ENGLISH, mark: str = MARK) -> bool:
    """Whether a note has the call's whole transcript."""
    kept = call.insights.transcript
    is_whole = bool(call.transcript) or kept is None or kept.is_whole
    return is_whole and _marked(transcript_of(call, texts), mark) in body


def note_before_change(
    call: Call, *, zone: str, sound: str, life: Iterable[str] = (), texts: Texts = ENGLISH
) -> str:
    """The same note before its last change: lines of others were not marked, colleagues were callers."""
    if call.outcome is not Outcome.INTERNAL:
        return note_text(call, zone=zone, sound=sound, life=life, mark="", texts=texts)
    text, other = note_text(call, zone=zone, sound=sound, life=life, texts=texts), _other_side(call, texts)
    return text.replace(texts.say("with", who=other), texts.say("caller", who=other), 1) if other else text


def _marked(text: str, mark: str) -> str:
    """Every line marked, whatever Unicode takes for the end of a line."""
    return "\n".join(f"{mark}{line}".rstrip() for line in text.splitlines()) if mark else text


def headline(call: Call, texts: Texts = ENGLISH) -> str:
    """Outcome and direction in one line: `Missed incoming call`."""
    match call.outcome, call.direction:
        case Outcome.INTERNAL, _:
            return texts.say("internal")
        case Outcome.ANSWERED, Direction.INCOMING:
            return texts.say("answered_incoming")
        case Outcome.ANSWERED, Direction.OUTGOING:
            return texts.say("answered_outgoing")
        case Outcome.MISSED, Direction.INCOMING:
            return texts.say("missed_incoming")
        case Outcome.MISSED, Direction.OUTGOING:
            return texts.say("missed_outgoing")
        case Outcome.VOICEMAIL, Direction.OUTGOING:
            return texts.say("voicemail_outgoing")
        case Outcome.VOICEMAIL, _:
            return texts.say("voicemail")
        case Outcome.ANSWERED, _:
            return texts.say("answered")
        case Outcome.MISSED, _:
            return texts.say("missed")
        case _, Direction.INCOMING:
            return texts.say("incoming")
        case _, Direction.OUTGOING:
            return texts.say("outgoing")
        case _:
            return texts.say("call")


def title(call: Call, texts: Texts = ENGLISH) -> str:
    """The built-in name of a call's conversation: `Missed call from Ada Example`."""
    other, outgoing = who(call, texts), call.direction is Direction.OUTGOING
    match call.outcome:
        case Outcome.ANSWERED:
            return texts.say("title_to" if outgoing else "title_from", who=other)
        case Outcome.MISSED if not outgoing:
            return texts.say("title_missed", who=other)
        case Outcome.VOICEMAIL if not outgoing:
            return texts.say("title_voicemail", who=other)
        case _:
            return texts.say("title_other", headline=headline(call, texts), who=other)


def who(call: Call, texts: Texts = ENGLISH) -> str:
    """The other side, for a title: the contact's name, else the number."""
    if call.contact_name:
        return call.contact_name
    return spoken(call.external, texts) if call.external else texts.say("unknown_number")


def spoken(number: Phone, texts: Texts = ENGLISH) -> str:
    """A number for people: grouped as in international writing."""
    return texts.say("number_withheld") if number.kind is Kind.WITHHELD else number.spoken


# Of a call between colleagues CloudTalk does not say who called whom.
_OTHER_SIDE: dict[Direction | None, MessageId] = {Direction.OUTGOING: "called", Direction.INTERNAL: "with"}


def _other_side(call: Call, texts: Texts) -> str:
    if call.contact_name and call.external and call.external.kind is not Kind.WITHHELD:
        return f"{call.contact_name}, {call.external.spoken}"
    return who(call, texts) if call.external or call.contact_name else ""


def _people(call: Call, texts: Texts) -> Iterator[str]:
    if other := _other_side(call, texts):
        yield texts.say(_OTHER_SIDE.get(call.direction, "caller"), who=other)
    if line := _line(call.line_name, call.internal, texts):
        yield texts.say("our_line", line=line)
    agents = _agents(call, texts)
    if (call.agent_name or call.agent_id is not None) and not (agents and call.path):
        yield texts.say("agent", agent=call.agent_name or texts.say("agent_number", number=call.agent_id))
    if agents:
        yield texts.say("agents", agents=agents)
    if call.ai_agent:
        yield ai_agent_line(call, texts)
    yield from extracted_lines(call, texts)


def _agents(call: Call, texts: Texts) -> str:
    """All who answered, where these are several; with the time of each where all of them are known."""
    answered = who_answered(call)
    if len(answered) < 2:
        return ""
    timed = all(one.talk_seconds for one in answered)
    # As in the path, where that is told.
    span = texts.span if call.path else clock_span
    names = (
        one.name
        or (texts.say("agent_number", number=one.agent_id) if one.agent_id else texts.say("agent_unknown"))
        for one in answered
    )
    return texts.listed(
        [
            f"{name} ({span(one.talk_seconds)})" if timed else name
            for name, one in zip(names, answered, strict=True)
        ]
    )


def _lines(call: Call, zone: ZoneInfo, sound: str, texts: Texts) -> Iterator[str]:
    yield from _people(call, texts)
    if when := _when(call, zone, texts):
        yield texts.say("when", when=when)
    if times := _times(call, texts):
        yield texts.say("times", times=times)
    yield from path_lines(call, texts)
    if call.tags:
        yield texts.say("call_tags", tags=cut(", ".join(call.tags), 500, texts))
    if call.rating is not None:
        yield texts.say("rating", rating=call.rating)
    if sound:
        is_voicemail = call.outcome is Outcome.VOICEMAIL
        yield texts.say("recording_voicemail" if is_voicemail else "recording", state=sound)
    if call.wants_detail:
        yield texts.say("details_to_come")
    if call.call_id is not None:
        yield number_line(call.call_id)


def number_line(call_id: int) -> str:
    """The line that names the call; the same in all languages."""
    return _NUMBER_LINE.format(call_id=call_id)


def says_call(body: str, call_id: int) -> bool:
    """Whether a note is of the call with this number.

    Only above what other people wrote: notes of earlier versions have it unmarked.
    """
    ours = takewhile(lambda line: line not in section_titles(), map(str.strip, body.splitlines()))
    return number_line(call_id) in ours


@lru_cache(maxsize=1)
def section_titles() -> frozenset[str]:
    return frozenset().union(*map(in_all_languages, _TITLES))


def _line(name: str | None, number: Phone | None, texts: Texts) -> str:
    return ", ".join(part for part in (name, spoken(number, texts) if number else None) if part)


def _when(call: Call, zone: ZoneInfo, texts: Texts) -> str:
    if call.started_at is None:
        if call.ended_at is None:
            return ""
        return texts.say("when_ended", moment=_moment(call.ended_at, zone, texts))
    start = _moment(call.started_at, zone, texts)
    if call.ended_at is None or call.ended_at <= call.started_at:
        return start
    end = call.ended_at.astimezone(zone)
    if _moment(end, zone, texts) == start:
        return start
    same_day = end.date() == call.started_at.astimezone(zone).date()
    clock = end.strftime("%H:%M") if same_day else f"{texts.day(end)}, {end:%H:%M}"
    day_and_clock, name = start.rsplit(" ", 1)
    # Both moments have a zone of their own while the clocks change.
    begun = day_and_clock if name == zone_name(end) else start
    return texts.say("when_span", start=begun, end=f"{clock} {zone_name(end)}")


def _moment(moment: datetime, zone: ZoneInfo, texts: Texts) -> str:
    local = moment.astimezone(zone)
    return f"{texts.day(local)}, {local:%H:%M} {zone_name(local)}"


def _times(call: Call, texts: Texts) -> str:
    ring = call.ring_seconds if call.ring_seconds is not None else call.wait_seconds
    is_ring = call.ring_seconds is not None or call.direction is Direction.OUTGOING
    parts = [
        texts.say("rang" if is_ring else "waited", span=texts.span(ring)) if ring is not None else "",
        texts.say("talked", span=texts.span(call.talk_seconds)) if call.talk_seconds else "",
        texts.say("on_hold", span=texts.span(call.hold_seconds)) if call.hold_seconds else "",
    ]
    return ", ".join(part for part in parts if part)


def sound_length(seconds: float) -> str:
    """For the pages of the bridge; see `Texts.sound_length`."""
    return ENGLISH.sound_length(seconds)


def length(text: str) -> int:
    """Characters in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, longest: int, texts: Texts = ENGLISH) -> str:
    """At most `longest` characters, cut at the end of a sentence where one is near, else at a word."""
    if length(text) <= longest:
        return text
    end = f" … {texts.say('shortened')}"
    room = longest - len(end)
    kept = text[:room]
    while (over := length(kept) - room) > 0:
        # A character has two units at most.
        kept = kept[: -((over + 1) // 2)]
    ends = [m.end() for m in _SENTENCE_END.finditer(kept)]
    if ends and ends[-1] >= len(kept) // 2:
        kept = kept[: ends[-1]]
    elif (blank := kept.rfind(" ")) >= len(kept) // 2:
        kept = kept[:blank]
    return kept.rstrip() + end
