"""`callbridge rules check`: every mistake in a rules file, with its place and the remedy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from bridge.commands import DONE, WRONG_USE
from bridge.commands.printing import say
from bridge.domain.rules.hints import hints
from bridge.domain.rules.model import Rules
from bridge.setting_sources import read_rules
from bridge.settings import Settings
from bridge.wording import counted


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def check(*, file: Path | None) -> int:
    """Check FILE, or without one the file of CALLBRIDGE_RULES.

    A mistake is a line FILE:LINE:COLUMN: what; remedy on standard error, and the exit code is 2. Templates
    are tried on a sample call. A valid choice without effect is a note, with exit code 0.
    """
    settings = Settings.read(os.environ).settings
    path = file or settings.callbridge_rules
    if path is None:
        say("CALLBRIDGE_RULES is not set, so all rules have their defaults; name a FILE to check it.")
        return DONE
    rules, wrong = read_rules(path)
    if wrong:
        say("\n".join(wrong), err=True)
        return WRONG_USE
    in_force = _in_force(rules)
    say(
        f"{path}: no mistakes. "
        + ("What differs from the defaults:" if in_force else "All is as by default.")
    )
    for line in in_force:
        say(line)
    for line in hints(rules, has_sms_token=settings.kustomer_webhook_token is not None):
        say(f"  note: {line}")
    return DONE


def _notes_of_sample(rules: Rules) -> Iterator[str]:
    """What each template of a note makes of the sample call."""
    from bridge.domain.kustomer_texts.texts import texts_in
    from bridge.domain.template_fields import SAMPLE
    from bridge.domain.templates import render_note

    chosen = [("write.template", rules.note_template, rules.language)]
    chosen += [
        (
            f"{rule.name}: then.template",
            rule.then.get("note_template", ""),
            rule.then.get("language", rules.language),
        )
        for rule in rules.rules
    ]
    for place, source, language in chosen:
        if source:
            note = render_note(source, SAMPLE, call_id=int(SAMPLE["call_id"]), texts=texts_in(language))
            yield f"  {place} makes:"
            yield from (f"      {line}".rstrip() for line in note.split("\n"))


def _in_force(rules: Rules) -> list[str]:
    from bridge.domain.rules.choices import THEN, plain_then, values_in
    from bridge.domain.rules.conditions import plain_when
    from bridge.domain.rules.writing import toml_value
    from bridge.domain.template_fields import SAMPLE
    from bridge.domain.templates import render_line

    values, defaults = values_in(rules), values_in(Rules())
    lines = [f"  {name} = {toml_value(values[name])}" for name in values if values[name] != defaults[name]]
    for rule in rules.rules:
        when = f"when {toml_value(plain_when(rule.when))}" if plain_when(rule.when) else "every call"
        lines.append(f"  {rule.name}: {when}")
        lines.append(f"      then {toml_value(plain_then(rule.then))}")
    templates = {
        THEN[name].place: value
        for name, value in (("name", rules.name), ("customer_name", rules.customer_name))
        if value
    }
    for rule in rules.rules:
        templates |= {
            f"{rule.name}: then.{name}": rule.then[name]
            for name in ("name", "customer_name")
            if name in rule.then
        }
    title = str(SAMPLE["title"])
    lines += [f"  {place} makes {render_line(text, SAMPLE, title)!r}" for place, text in templates.items()]
    lines += _notes_of_sample(rules)
    if rules.rules:
        lines.append(f"  {counted(len(rules.rules), 'rule')}")
    return lines
