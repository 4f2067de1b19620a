"""The rules in force, in words for whoever leads the desk, each with where it comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.domain.phone import masked
from bridge.domain.rules.choices import CHOICES, SECTIONS, plain_then
from bridge.domain.rules.model import Rules
from bridge.reports.choice_sentences import sentence
from bridge.reports.rule_sentences import sentence_of
from bridge.reports.rules_in_force import without_people
from bridge.settings import Settings


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


def rules_in_words(rules: Rules, settings: Settings, *, hides_people: bool = False) -> list[RuleLine]:
    """Args: hides_people: numbers of customers are masked."""
    lines = [
        RuleLine(group=group, name=name, value=_text(value), says=says, origin=_origin(rules, name))
        for group, name, value, says in _of_rules(rules, hides_people=hides_people)
    ]
    return [*lines, *_of_settings(settings)]


def _origin(rules: Rules, name: str) -> str:
    """`default`, or the file and the line that sets it: of one outcome, the line of all where it has none."""
    rule = next((one for one in rules.rules if one.name == name), None)
    if rule is not None:
        return f"{rules.source}, line {rule.line}"
    section = name.split(".")[0]
    outcome = name.startswith("conversation.status.")
    line = rules.lines.get(name) or (rules.lines.get(section) if section == "webhook_keys" else None)
    if line is None or (outcome and name not in rules.lines):
        return "default"
    return f"{rules.source}, line {line}" if rules.source else "default"


_Choice = tuple[str, str, object, str]


def _of_rules(rules: Rules, *, hides_people: bool) -> Iterator[_Choice]:
    yield from _each_rule(rules, hides_people=hides_people)
    yield from _written(rules)
    own = ("write.internal", "write.withheld", "write.short", "conversation.status", "conversation.tags",
           "conversation.call_tags", "agents.assign")  # fmt: skip
    yield from _others(rules, "write", own, hides_people=hides_people)
    yield from _others(rules, "customer", own, hides_people=hides_people)
    yield from _conversations(rules)
    for section in ("conversation", "agents", "calendar"):
        yield from _others(rules, section, own, hides_people=hides_people)
    yield from _recordings(rules, hides_people=hides_people)
    for section in SECTIONS:
        if section not in (*_GROUPS, "recording", "webhook_keys"):
            yield from _others(rules, section, own, hides_people=hides_people)
    group = "Names in webhooks"
    for name, canonical in sorted(rules.webhook_keys.items(), key=lambda pair: (pair[1], pair[0])):
        yield group, f"webhook_keys.{canonical}", name, f"A value named {name} is read as {canonical}."
    if not rules.webhook_keys:
        yield group, "webhook_keys", "none", "Only the names that the bridge knows by itself are read."


_GROUPS = {
    "write": "Which calls are written to Kustomer",
    "customer": "Whose call it is",
    "conversation": "Conversations",
    "agents": "Who owns a conversation",
    "calendar": "Opening hours",
}


def _each_rule(rules: Rules, *, hides_people: bool) -> Iterator[_Choice]:
    for rule in rules.rules:
        then = plain_then(rule.then)
        if hides_people:
            then = without_people("then", then)
        yield (
            "Rules, the first that sets a choice wins it",
            rule.name,
            _pairs(then),
            sentence_of(rule, hides_people=hides_people),
        )


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in values.items())


def _others(rules: Rules, section: str, own: Collection[str], *, hides_people: bool) -> Iterator[_Choice]:
    """What has no sentences of its own."""
    for one in CHOICES:
        if one.section == section and one.place not in own and one.field:
            value = one.shown(getattr(rules, one.field))
            value = without_people(one.place, value) if hides_people else value
            yield (
                _GROUPS.get(section) or SECTIONS[section].rstrip("."),
                one.place,
                "none" if value in (None, "") else value,
                sentence(one.place, value, one.says),
            )


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
        says = f"The conversation of {what} call starts {_STARTS[status]}."
        yield group, f"conversation.status.{outcome.value}", status, says
    tags = (
        f"Every conversation gets the tags {', '.join(rules.tags)}." if rules.tags else "No tags of our own."
    )
    yield group, "conversation.tags", list(rules.tags), tags
    says = "CloudTalk's tags of a call are added." if rules.call_tags else "CloudTalk's tags are not added."
    yield group, "conversation.call_tags", rules.call_tags, says
    says = _ASSIGNED[rules.assign]
    yield "Who owns a conversation", "agents.assign", rules.assign, f"A conversation {says}"


_ASSIGNED = {
    "none": "is assigned to nobody.",
    "longest": "goes to the agent who talked longest, found by e-mail.",
    "first": "goes to the first agent who spoke, found by e-mail.",
    "last": "goes to the last agent who spoke, found by e-mail.",
}
_STARTS = {"open": "open", "done": "as done", "snoozed": "snoozed"}
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
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(one)}" for name, one in value.items()) or "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
