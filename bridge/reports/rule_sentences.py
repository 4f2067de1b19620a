"""One sentence for each `[[rule]]`: which calls it is about, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.domain.rules.model import Rule
from bridge.domain.rules.when import When
from bridge.reports.masking import initial, scrubbed


def sentence_of(rule: Rule, *, hides_people: bool = False) -> str:
    """Such as `Incoming missed calls on Sales during Mon-Fri 08:00-18:00 are not written.`"""
    calls, becomes = " ".join(_calls(rule.when, hides_people)), _joined(_becomes(rule))
    text = f"{calls[:1].upper()}{calls[1:]} {becomes or 'have no choice of their own'}."
    return scrubbed(text) if hides_people else text


def _calls(when: When, hides_people: bool) -> Iterator[str]:
    adjectives = [*_adjectives(when)]
    yield from adjectives or ([] if _qualified(when, hides_people) else ["all"])
    yield "calls"
    yield from _qualified(when, hides_people)


def _adjectives(when: When) -> Iterator[str]:
    if when.direction:
        yield _or(when.direction)
    if when.outcome:
        yield _or(when.outcome)
    if when.internal is not None:
        yield "internal" if when.internal else "external"


_FLAGS: Mapping[str, tuple[str, str]] = {
    "voicemail": ("that went to voicemail", "that did not go to voicemail"),
    "transferred": ("that were transferred", "that were not transferred"),
    "ai_agent": ("that an AI voice agent took", "that no AI voice agent took"),
    "out_of_hours": ("out of hours, as CloudTalk says,", "within hours, as CloudTalk says,"),
}


def _qualified(when: When, hides_people: bool) -> list[str]:
    agents = tuple(initial(one) or "" if hides_people and not one.isdigit() else one for one in when.agent)
    named = (
        ("on", when.line),
        ("of the group", when.group),
        ("tagged", when.tag),
        ("of agent", agents),
        ("of type", when.type),
        ("with numbers of", when.country),
    )
    found = [f"{link} {_or(values)}" for link, values in named if values]
    if when.caller is not None:
        found.append(f"with customers whom Kustomer {'knew' if when.caller == 'known' else 'did not know'}")
    if when.min_talk_s is not None:
        found.append(f"of at least {when.min_talk_s} s of talk")
    if when.max_talk_s is not None:
        found.append(f"of at most {when.max_talk_s} s of talk")
    if when.hours is not None:
        found.append(f"during {when.hours.text}")
    for name, (yes, no) in _FLAGS.items():
        value = getattr(when, name)
        if value is not None:
            found.append(yes if value else no)
    return found


_WRITTEN: Mapping[tuple[str, Any], str] = {
    ("write", True): "are written",
    ("write", False): "are not written",
    ("write", "complete"): "are written once, with their recording",
    ("status", "open"): "are opened",
    ("status", "done"): "are set to done",
    ("status", "snoozed"): "are snoozed",
    ("assign", "none"): "are assigned to nobody",
    ("assign", "longest"): "are assigned to the agent who talked longest",
    ("assign", "first"): "are assigned to the agent who spoke first",
    ("assign", "last"): "are assigned to the agent who spoke last",
    ("per", "call"): "get a conversation each",
    ("per", "customer"): "share a conversation per customer",
    ("per", "missed_caller"): "share an open item per caller",
    ("unknown", "create"): "create a customer for an unknown caller",
    ("unknown", "skip"): "are left out for an unknown caller",
    ("unknown", "house"): "go to the house customer for an unknown caller",
    ("close_missed_on_contact", True): "are closed once that caller was spoken to",
    ("close_missed_on_contact", False): "stay open after that caller was spoken to",
    ("as", "note"): "are written as a note",
    ("as", "voice_message"): "are written as a voice message",
    ("as", "both"): "are written as a note and a voice message",
    ("auto", True): "have voice messages that reports leave out",
    ("auto", False): "have voice messages that count in reports",
    ("fields", "none"): "have no values for reports",
    ("fields", "conversation"): "have their values in attributes of the conversation",
    ("cue_card", True): "show the agents who calls",
    ("cue_card", False): "show no cue card",
    ("fields", "klass"): "have their values in a custom object",
    ("template", ""): "have the built-in note",
    ("summary", True): "have their summary in the note",
    ("summary", False): "have no summary in the note",
    ("sentiment", True): "have their sentiment in the note",
    ("smart_notes", True): "have action items, decisions and questions in the note",
    ("topics", True): "have their topics in the note",
    ("talk_ratio", True): "have their talk ratio in the note",
    ("transcript", "note"): "have their transcript in the note",
    ("transcript", "file"): "have their transcript attached if it is long",
    ("transcript", "none"): "have no transcript in the note",
    ("fetch", True): "have their recording fetched",
    ("fetch", False): "have their recording left in CloudTalk",
}
_WITH_VALUE: Mapping[str, str] = {
    "tags": "are tagged {}",
    "team": "go to the team {}",
    "queue": "go to the queue {}",
    "priority": "get priority {}",
    "name": "are named {}",
    "template": "have a note by a template of their own",
    "language": "have their note in the language {}",
    "house": "belong to the house customer {}",
}


def _becomes(rule: Rule) -> list[str]:
    # The table of choices takes a moment to load, and is needed only here.
    from bridge.domain.rules.choices import THEN

    found = []
    for name, choice in THEN.items():
        if choice.field not in rule.then or (name == "internal" and rule.then.get("write")):
            continue
        value = rule.then[choice.field]
        value = next(iter(value.values())) if name == "status" else choice.shown(value)
        found.append(
            _WRITTEN.get((name, value) if isinstance(value, str | bool) else ("", ""))
            or _WITH_VALUE.get(name, f"have {name} {{}}").format(_text(value))
        )
    return found


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "with nothing"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value) or "empty"


def _or(values: tuple[Any, ...]) -> str:
    return _joined([str(one) for one in values], "or")


def _joined(parts: list[str], word: str = "and") -> str:
    return f" {word} ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)
