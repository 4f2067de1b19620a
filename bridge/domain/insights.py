"""What CloudTalk's AI (Conversation Intelligence) says of a call: its answers, read leniently. Pure.

Texts are bounded, without control characters and without markup; they are still other people's words, and
whoever writes them marks them as such.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from bridge.domain.webhook.values import read_text, read_time, read_whole

NAMES = SUMMARY, SENTIMENT, SMART_NOTES, TOPICS, TALK_RATIO, DETAILS_LINK, TRANSCRIPT = (
    "summary",
    "sentiment",
    "smart_notes",
    "topics",
    "talk_ratio",
    "details_link",
    "transcript",
)
# Trigger of a webhook -> what it says is ready.
ANNOUNCED_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"insights-ready": NAMES, "transcription-created": (TRANSCRIPT,)}
)
# The lists of smart notes that a note shows, in its order: CloudTalk's name -> ours.
NOTE_LISTS: Mapping[str, str] = MappingProxyType(
    {
        "actionItems": "action_items",
        "decisionsMade": "decisions",
        "openQuestions": "open_questions",
        "importantDatesAndDeadlines": "dates",
        "risksAndIssues": "risks",
        "customerFeedback": "feedback",
    }
)
# Why something is not asked for any more.
NEVER, NO_ADDON = (
    "never appeared in CloudTalk",
    "the CloudTalk account has no Conversation Intelligence (403)",
)
SENTIMENTS = ("very negative", "negative", "neutral", "positive", "very positive")
_LONGEST_SUMMARY = 8_000
_LONGEST_ITEM, _MOST_ITEMS = 400, 25
_LONGEST_TOPIC, _MOST_TOPICS = 80, 15
_LONGEST_LINK = 1_000
# More than a note holds; all of a transcript is in its file.
_KEPT_OF_TRANSCRIPT = 12_000
_LONGEST_SEGMENT = 4_000
_MOST_SPEAKERS = 50
# No blank and nothing that could end a link in a text.
_LINK = re.compile(r"https?://[A-Za-z0-9\[\]._~:/?#@!$&'()*+,;=%-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Who speaks. `kind`: `agent`, `contact`, or empty; `id`: CloudTalk's, of the agent or the contact."""

    kind: str = ""
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What one of them says without a break. `start_s`: of the call; `speaker`: key of `speakers`."""

    speaker: str
    text: str
    start_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """`is_whole`: the segments are all there are; on record, only as much is kept as a note can show."""

    segments: tuple[Segment, ...] = ()
    speakers: Mapping[str, Speaker] = field(default_factory=dict)
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """The transcript as a text file in the operator's storage. `size` in bytes, `sha256` in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """One entry of a list of smart notes; `at` only of a date or deadline."""

    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Insights:
    """
    Args:
        smart_notes: name of a list (`NOTE_LISTS`) -> its entries.
        talk_ratio: kind of speaker (`agent`, `contact`, or empty) -> percent of the time talked.
        answered: names of what CloudTalk answered, whatever the answer said.
        gone: name -> why it is not asked for any more.
        refused_file: why Kustomer would not take the file.
    """

    summary: str | None = None
    sentiment: str | None = None
    smart_notes: Mapping[str, tuple[Dated, ...]] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    talk_ratio: Mapping[str, float] = field(default_factory=dict)
    details_link: str | None = None
    transcript: Transcript | None = None
    file: TextFile | None = None
    answered: frozenset[str] = frozenset()
    gone: Mapping[str, str] = field(default_factory=dict)
    refused_file: str = ""


NO_INSIGHTS = Insights()


def keep_answer(name: str, raw: Mapping[str, Any]) -> Any:
    """What is kept of an answer, as JSON; nothing in it (null) is an answer, too.

    Args:
        name: of `NAMES`, without the transcript, which comes in pages (`keep_transcript`).
    """
    return _KEEPS[name](_inner(raw))


def read_insights(
    kept: Mapping[str, Any], *, gone: Mapping[str, str] | None = None, refused_file: str = ""
) -> Insights:
    """The insights of a call from what is kept of the answers.

    Args:
        kept: name -> what `keep_answer` or `keep_transcript` made of its answer.
    """
    transcript = kept.get(TRANSCRIPT)
    file = transcript.get("file") if isinstance(transcript, Mapping) else None
    return Insights(
        summary=kept.get(SUMMARY),
        sentiment=kept.get(SENTIMENT),
        smart_notes={
            name: tuple(Dated(text=text, at=read_time(at)) for text, at in items)
            for name, items in (kept.get(SMART_NOTES) or {}).items()
        },
        topics=tuple(kept.get(TOPICS) or ()),
        talk_ratio=dict(kept.get(TALK_RATIO) or {}),
        details_link=kept.get(DETAILS_LINK),
        transcript=_read_transcript(transcript) if transcript and transcript.get("segments") else None,
        file=TextFile(**file) if file else None,
        answered=frozenset(kept),
        gone={name: why for name, why in (gone or {}).items() if name not in kept},
        refused_file=refused_file,
    )


def _inner(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what some hosts put around an answer."""
    for name in ("data", "responseData", "data"):
        inner = raw.get(name)
        raw = {**raw, **inner} if isinstance(inner, dict) else raw
    return raw


def _first(raw: Mapping[str, Any], *names: str) -> Any:
    return next((raw[name] for name in names if raw.get(name) is not None), None)


def _keep_summary(raw: Mapping[str, Any]) -> str | None:
    value = _first(raw, "summary", "callSummary", "text")
    if isinstance(value, dict):
        value = _first(value, "summary", "text")
    return read_text(value, _LONGEST_SUMMARY)


def _keep_sentiment(raw: Mapping[str, Any]) -> str | None:
    value = _first(raw, "overallSentiment", "overall_sentiment", "sentiment")
    if isinstance(value, dict):
        value = _first(value, "overallSentiment", "sentiment", "label")
    text = _one_line(value, 60)
    known = (text or "").casefold().replace("_", " ").replace("-", " ")
    return known if known in SENTIMENTS else text


def _keep_smart_notes(raw: Mapping[str, Any]) -> dict[str, list[list[str | None]]]:
    notes = _first(raw, "smartNotes", "smart_notes")
    lists = notes if isinstance(notes, dict) else raw
    found = {ours: list(_items(lists.get(theirs)))[:_MOST_ITEMS] for theirs, ours in NOTE_LISTS.items()}
    return {name: items for name, items in found.items() if items}


def _items(value: Any) -> Iterator[list[str | None]]:
    """Each entry of a list: its text, and its time where it has one."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            at = _first(item, "dateMention", "date", "deadline")
            text = _one_line(_first(item, "eventDescription", "description", "text", "title"), _LONGEST_ITEM)
            is_time = read_time(at) is not None
            if not is_time:
                # "next week", as somebody said it.
                said = _one_line(at, 100)
                text = ": ".join(part for part in (said, text) if part) or None
            if text or is_time:
                yield [text or "", str(at) if is_time else None]
        elif text := _one_line(item, _LONGEST_ITEM):
            yield [text, None]


def _keep_topics(raw: Mapping[str, Any]) -> list[str]:
    topics = raw.get("topics")
    weighed: list[tuple[float, str]] = []
    for item in topics if isinstance(topics, list) else ():
        value = _first(item, "topic", "name", "text") if isinstance(item, dict) else item
        if text := _one_line(value, _LONGEST_TOPIC):
            weight = _number(item.get("weight")) if isinstance(item, dict) else None
            weighed.append((-(weight or 0.0), text))
    # As given where they weigh the same.
    ordered = [text for _, text in sorted(weighed, key=lambda pair: pair[0])]
    return list(dict.fromkeys(ordered))[:_MOST_TOPICS]


def _keep_talk_ratio(raw: Mapping[str, Any]) -> dict[str, float]:
    value = _first(raw, "talkListenRatio", "talk_listen_ratio")
    speakers = _speakers(raw.get("callers"))
    rows = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    sums: dict[str, float] = {}
    for name in ("ratio", "talkingTime"):
        numbers = [(str(row.get("caller")), _number(row.get(name))) for row in rows[:_MOST_SPEAKERS]]
        for key, number in numbers:
            kind = speakers.get(key, Speaker(kind=key if key in ("agent", "contact") else "")).kind
            sums[kind] = sums.get(kind, 0.0) + max(number or 0.0, 0.0)
        if sum(sums.values()) > 0:
            break
        sums.clear()
    # Shares of 1, percents or seconds: of the whole.
    total = sum(sums.values())
    return {kind: round(100 * part / total, 1) for kind, part in sorted(sums.items())} if total else {}


def _keep_details_link(raw: Mapping[str, Any]) -> str | None:
    link = _first(raw, "link", "url", "detailsLink")
    if not isinstance(link, str) or len(link) > _LONGEST_LINK:
        return None
    return link.strip() if _LINK.fullmatch(link.strip()) else None


_KEEPS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    SUMMARY: _keep_summary,
    SENTIMENT: _keep_sentiment,
    SMART_NOTES: _keep_smart_notes,
    TOPICS: _keep_topics,
    TALK_RATIO: _keep_talk_ratio,
    DETAILS_LINK: _keep_details_link,
}


def read_page(raw: Mapping[str, Any]) -> tuple[list[Segment], dict[str, Speaker]]:
    """The segments of one page of a transcript, and who speaks."""
    raw = _inner(raw)
    segments = raw.get("segments")
    found = (_segment(item) for item in segments) if isinstance(segments, list) else ()
    return [one for one in found if one is not None], _speakers(raw.get("callers"))


def keep_transcript(transcript: Transcript, file: TextFile | None) -> dict[str, Any]:
    """What is kept on record: as much as a note can show, and where all of it is."""
    kept: list[list[Any]] = []
    size = 0
    for one in transcript.segments:
        size += len(one.text)
        if size > _KEPT_OF_TRANSCRIPT:
            break
        kept.append([one.start_s, one.speaker, one.text])
    spoke = {str(row[1]) for row in kept}
    return {
        "segments": kept,
        "speakers": {key: [who.kind, who.id] for key, who in transcript.speakers.items() if key in spoke},
        "is_whole": transcript.is_whole and len(kept) == len(transcript.segments),
        "file": {"name": file.name, "size": file.size, "sha256": file.sha256} if file else None,
    }


def _read_transcript(kept: Mapping[str, Any]) -> Transcript:
    return Transcript(
        segments=tuple(
            Segment(start_s=start, speaker=speaker, text=text) for start, speaker, text in kept["segments"]
        ),
        speakers={key: Speaker(kind=kind, id=id_) for key, (kind, id_) in kept["speakers"].items()},
        is_whole=bool(kept["is_whole"]),
    )


def _segment(item: Any) -> Segment | None:
    if not isinstance(item, dict):
        return None
    text = _one_line(_first(item, "text", "transcript"), _LONGEST_SEGMENT)
    if text is None:
        return None
    start = _number(item.get("start"))
    speaker = _one_line(_first(item, "caller", "speaker"), 60) or ""
    return Segment(speaker=speaker, text=text, start_s=start if start is not None and start >= 0 else None)


def _speakers(value: Any) -> dict[str, Speaker]:
    found: dict[str, Speaker] = {}
    for item in value[:_MOST_SPEAKERS] if isinstance(value, list) else ():
        if isinstance(item, dict):
            kind = str(item.get("type") or "").lower()
            who = Speaker(kind=kind if kind in ("agent", "contact") else "", id=read_whole(item.get("id")))
            # The example of one path names them by the first, the schema of another by the second.
            for key in (item.get("localIdentifier"), item.get("id")):
                if key is not None:
                    found.setdefault(_one_line(key, 60) or "", who)
    return found


def _one_line(value: Any, longest: int) -> str | None:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return None
    text = read_text(value, longest)
    return " ".join(text.split()) if text else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e9 else None


def moment_of(ms: int) -> datetime:
    """Milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def still_gone(gave_up: Mapping[str, Mapping[str, Any]], announced: Mapping[str, datetime]) -> dict[str, str]:
    """Name -> why it is not asked for any more, unless CloudTalk has announced it since.

    Args:
        gave_up: name -> `{"reason", "at"}`, ms since 1970.
        announced: name -> when CloudTalk last said that it is ready.
    """
    return {
        name: str(said.get("reason", ""))
        for name, said in gave_up.items()
        if name not in announced or announced[name] <= moment_of(int(said.get("at", 0)))
    }


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    wanted = set(names)
    return tuple(name for name in NAMES if name in wanted)
