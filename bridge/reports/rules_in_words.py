"""The rules in force, in words for whoever leads the desk, each with where it comes from."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.domain.phone import masked
from bridge.domain.rules.model import Rules
from bridge.settings import Settings

_SECTION = re.compile(r"\s*\[{1,2}\s*([\w.\"' -]+?)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """One choice.

    Args:
        name: as the rules file or the settings spell it.
        value: as it is written there.
        says: what it means.
        origin: `default`, the name of a setting, or the file with the line.
    """

    group: str
    name: str
    value: str
    says: str
    origin: str

    @property
    def is_default(self) -> bool:
        return self.origin == "default"


class _File:
    """Which names a rules file sets, and on which lines."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._table: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        if path is None:
            return
        with contextlib.suppress(OSError, ValueError):
            text = path.read_text()
            self._table, self._lines = tomllib.loads(text), dict(_lines_of(text))

    def origin(self, name: str) -> str:
        section, _, key = name.partition(".")
        outer, _, inner = key.partition(".")
        table = self._table.get(section)
        if not isinstance(table, Mapping) or outer not in table:
            return "default"
        if inner and (not isinstance(table[outer], Mapping) or inner not in table[outer]):
            return "default"
        line = self._lines.get(name) or self._lines.get(f"{section}.{outer}")
        return f"{self._path}, line {line}" if line else str(self._path)


def _lines_of(text: str) -> Iterator[tuple[str, int]]:
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _SECTION.match(line):
            section = found[1]
        elif found := _KEY.match(line):
            yield (f"{section}.{found[1]}" if section else found[1]), number


def rules_in_words(rules: Rules, settings: Settings, *, hides_people: bool = False) -> list[RuleLine]:
    """Args: hides_people: numbers of customers are masked."""
    file = _File(settings.callbridge_rules)
    lines = [
        RuleLine(group=group, name=name, value=_text(value), says=says, origin=file.origin(name))
        for group, name, value, says in _of_rules(rules, hides_people=hides_people)
    ]
    return [*lines, *_of_settings(settings)]


_Choice = tuple[str, str, object, str]


def _of_rules(rules: Rules, *, hides_people: bool) -> Iterator[_Choice]:
    yield from _written(rules)
    yield from _conversations(rules)
    yield from _recordings(rules, hides_people=hides_people)
    group = "Names in webhooks"
    for name, canonical in sorted(rules.webhook_keys.items(), key=lambda pair: (pair[1], pair[0])):
        yield group, f"webhook_keys.{canonical}", name, f"A value named {name} is read as {canonical}."
    if not rules.webhook_keys:
        yield group, "webhook_keys", "none", "Only the names that the bridge knows by itself are read."


def _written(rules: Rules) -> Iterator[_Choice]:
    group = "Which calls are written to Kustomer"
    kinds = (
        ("internal", rules.write_internal, "Calls between colleagues"),
        ("withheld", rules.write_withheld, "Calls from withheld numbers"),
        ("short", rules.write_short, "Calls of emergency and other short numbers"),
    )
    for name, written, what in kinds:
        how = "are written." if written else "are kept and explained here, not written."
        yield group, f"write.{name}", written, f"{what} {how}"


def _conversations(rules: Rules) -> Iterator[_Choice]:
    group = "Conversations"
    for outcome, status in rules.status.items():
        what = "an unclear" if outcome.value == "unknown" else f"{_article(outcome.value)} {outcome.value}"
        says = f"The conversation of {what} call starts {'open' if status == 'open' else 'as done'}."
        yield group, f"conversation.status.{outcome.value}", status, says
    tags = (
        f"Every conversation gets the tags {', '.join(rules.tags)}." if rules.tags else "No tags of our own."
    )
    yield group, "conversation.tags", list(rules.tags), tags
    says = "CloudTalk's tags of a call are added." if rules.call_tags else "CloudTalk's tags are not added."
    yield group, "conversation.call_tags", rules.call_tags, says
    says = (
        "goes to the agent who spoke, found by e-mail."
        if rules.assign != "none"
        else "is assigned to nobody."
    )
    yield group, "agents.assign", rules.assign, f"A conversation {says}"


_ATTACHED = {
    "speech": "A small MP3 is attached to the note.",
    "original": "The recording is attached as CloudTalk has it.",
    "never": "Recordings stay in the bridge's storage and are not attached.",
}
_LINKED = {
    "operators": "The note's link to the player opens for people who sign in.",
    "signed": "The note's link to the player opens for whoever has it.",
    "off": "Notes have no link to the player.",
}


def _recordings(rules: Rules, *, hides_people: bool) -> Iterator[_Choice]:
    group = "Recordings"
    fetched = "are fetched from CloudTalk." if rules.record else "stay in CloudTalk."
    yield group, "recording.fetch", rules.record, f"Recordings {fetched}"
    small = "A small MP3 is made of each." if rules.transcode else "The WAV is kept as it is."
    yield group, "recording.transcode", rules.transcode, small
    yield group, "recording.attach", rules.attach, _ATTACHED[rules.attach]
    megabytes = rules.largest_attachment / 1_000_000
    says = f"Over {megabytes:g} MB the note links to the player instead."
    yield group, "recording.largest_attachment_mb", f"{megabytes:g}", says
    yield group, "recording.link", rules.link, _LINKED[rules.link]
    yield group, "recording.link_days", rules.link_days, f"A signed link works for {rules.link_days} days."
    public = "is used where the API has no recording." if rules.public_link else "is never used."
    yield group, "recording.public_link", rules.public_link, f"CloudTalk's public link {public}"
    numbers = [masked(number) if hides_people else number for number in rules.do_not_record]
    never = f"Never fetched: {', '.join(numbers)}." if numbers else "No number is left out."
    yield group, "recording.do_not_record", numbers, never


def _of_settings(settings: Settings) -> Iterator[RuleLine]:
    """The settings that decide what people see, beside the rules."""
    settings_in_words = (
        ("time_zone", "Times in notes and pages are in {}."),
        ("phone_region", "Numbers without a country code are read as in {}."),
        ("event_retention_days", "Webhooks are kept for {} days."),
        ("output_retention_days", "What was written is remembered for {} days."),
        ("recording_retention_days", "Recordings are deleted after {} days."),
        ("reconcile_every_s", "CloudTalk's list is compared with ours every {} s."),
        ("cloudtalk_requests_per_minute", "At most {} requests a minute to CloudTalk."),
        ("kustomer_requests_per_minute", "At most {} requests a minute to Kustomer."),
    )
    unset = {
        "phone_region": "Numbers without a country code are not guessed.",
        "recording_retention_days": "Recordings are kept for ever.",
    }
    for name, says in settings_in_words:
        value = getattr(settings, name)
        text = f"{value:g}" if isinstance(value, float) else str(value)
        yield RuleLine(
            group="Settings",
            name=name.upper(),
            value="" if value is None else text,
            says=unset[name] if value is None else says.format(text),
            origin=f"setting {name.upper()}" if name in settings.model_fields_set else "default",
        )


def groups_of(lines: Sequence[RuleLine]) -> dict[str, list[RuleLine]]:
    found: dict[str, list[RuleLine]] = {}
    for line in lines:
        found.setdefault(line.group, []).append(line)
    return found


def _article(word: str) -> str:
    return "an" if word[:1] in "aeiou" else "a"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
