"""What CloudTalk's AI says of a call, as sections and lines of the note, and its transcript as text.

What is not of the catalogue is other people's text: it stands in sections, whose every line the note marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from bridge.domain.call import Call
from bridge.domain.insights import NO_ADDON, Dated, Speaker, Transcript, in_order
from bridge.domain.kustomer_texts.catalogue.ids import MessageId
from bridge.domain.kustomer_texts.spans import clock_span
from bridge.domain.kustomer_texts.texts import Texts

_LISTS: Mapping[str, MessageId] = {
    "action_items": "action_items_title",
    "decisions": "decisions_title",
    "open_questions": "open_questions_title",
    "dates": "dates_title",
    "risks": "risks_title",
    "feedback": "feedback_title",
}
_SENTIMENTS: Mapping[str, MessageId] = {
    "very negative": "sentiment_very_negative",
    "negative": "sentiment_negative",
    "neutral": "sentiment_neutral",
    "positive": "sentiment_positive",
    "very positive": "sentiment_very_positive",
}
_SPEAKERS: Mapping[str, MessageId] = {"agent": "speaker_agent", "contact": "speaker_contact"}
_NAMES: Mapping[str, MessageId] = {
    "summary": "insight_summary",
    "sentiment": "insight_sentiment",
    "smart_notes": "insight_smart_notes",
    "topics": "insight_topics",
    "talk_ratio": "insight_talk_ratio",
    "details_link": "insight_details_link",
    "transcript": "insight_transcript",
}
_LONGEST_LIST = 1_000
# Of a transcript beside which the whole is attached: enough to tell what the call was about.
_FIRST_LINES, _LONGEST_FIRST_LINES = 6, 1_000
# What is to be done next: it stands above all the rest.
_TO_DO = "action_items"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A title of ours, and below it text of other people, cut to `longest`.

    Args:
        is_line: it says all by its title, which has nothing of other people that could be taken for a line.
    """

    title: str
    text: str = ""
    longest: int = _LONGEST_LIST
    is_line: bool = False


def to_do_section(call: Call, texts: Texts, when: Callable[[datetime], str]) -> Section | None:
    """What the agent must do next, as CloudTalk's AI has it."""
    return _list_section(_TO_DO, call, texts, when)


def insight_sections(call: Call, texts: Texts, when: Callable[[datetime], str]) -> Iterator[Section]:
    """Between the summary and the transcript, in the order of the note.

    Args:
        call: with what the rules want to have written.
        when: writes a point in time.
    """
    known = call.insights
    if known.sentiment:
        said = sentiment_name(known.sentiment, texts)
        yield Section(title=texts.say("sentiment", sentiment=said), is_line=True)
    for list_name in _LISTS:
        if list_name != _TO_DO and (section := _list_section(list_name, call, texts, when)):
            yield section
    if known.topics:
        yield Section(title=texts.say("topics_title"), text=", ".join(known.topics))
    if known.talk_ratio:
        parts = [
            texts.say("talk_part", who=texts.say(_SPEAKERS.get(kind, "speaker_other")), percent=f"{part:.0f}")
            for kind, part in known.talk_ratio.items()
        ]
        yield Section(title=texts.say("talk_ratio", parts=", ".join(parts)), is_line=True)
    if known.details_link:
        yield Section(title=texts.say("ai_details", link=known.details_link), is_line=True)


def _list_section(name: str, call: Call, texts: Texts, when: Callable[[datetime], str]) -> Section | None:
    items = call.insights.smart_notes.get(name, ())
    text = "\n".join(f"- {_dated(one, texts, when)}" for one in items)
    return Section(title=texts.say(_LISTS[name]), text=text) if items else None


def _dated(one: Dated, texts: Texts, when: Callable[[datetime], str]) -> str:
    if one.at is None:
        return one.text
    return texts.say("facts", what=when(one.at), facts=one.text) if one.text else when(one.at)


def never_line(call: Call, texts: Texts) -> str:
    """What CloudTalk's AI does not have of the call; empty where it is not known to lack anything."""
    never = in_order(name for name, why in call.insights.gone.items() if why != NO_ADDON)
    names = texts.listed([texts.say(_NAMES[name]) for name in never])
    return texts.say("insights_never", names=names) if never else ""


def sentiment_name(sentiment: str | None, texts: Texts) -> str:
    """As people read it; one that we do not know as CloudTalk has it."""
    name = _SENTIMENTS.get(sentiment or "")
    return texts.say(name) if name else sentiment or ""


def transcript_of(call: Call, texts: Texts) -> str:
    """What a webhook has of it, else the answer's segments, of which as many are kept as a note can show."""
    if call.transcript:
        return call.transcript
    found = call.insights.transcript
    return transcript_text(found, call, texts) if found is not None else ""


def transcript_section(call: Call, texts: Texts, *, room: int, file_name: str = "") -> Section | None:
    """The whole as far as it fits; with a file its first lines, and where the whole is.

    Args:
        room: for how many characters there is room.
        file_name: of the attachment; empty where there is none.
    """
    text = transcript_of(call, texts)
    if not text:
        return None
    if not file_name:
        return Section(title=texts.say("transcript_title"), text=text, longest=room)
    title = texts.say("transcript_first_lines", file=file_name)
    first = "\n".join(text.splitlines()[:_FIRST_LINES])
    return Section(title=title, text=first, longest=min(room, _LONGEST_FIRST_LINES))


def transcript_text(transcript: Transcript, call: Call, texts: Texts) -> str:
    """A line for each segment: `[1:05] Grace Hopper: How can I help?`."""
    lines = []
    for one in transcript.segments:
        at = f"[{clock_span(int(one.start_s))}] " if one.start_s is not None else ""
        who = _speaker(one.speaker, transcript.speakers.get(one.speaker), call, texts)
        lines.append(texts.say("facts", what=f"{at}{who}", facts=one.text))
    return "\n".join(lines)


def _speaker(key: str, who: Speaker | None, call: Call, texts: Texts) -> str:
    """The name of whoever speaks, as far as it is known."""
    kind = who.kind if who is not None else key if key in ("agent", "contact") else ""
    if kind == "contact":
        return call.contact_name or texts.say("speaker_contact")
    if kind == "agent":
        return _agent(who.id if who is not None else None, call) or texts.say("speaker_agent")
    return key or texts.say("speaker_other")


def _agent(agent_id: int | None, call: Call) -> str | None:
    names = {one.agent_id: one.name for one in call.participants if one.agent_id is not None and one.name}
    if agent_id in names:
        return names[agent_id]
    # The one agent there is, whatever number the answer gives.
    is_only_one = len({one.agent_id for one in call.participants if one.answered}) < 2
    return call.agent_name if agent_id == call.agent_id or is_only_one else None
