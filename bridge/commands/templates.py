"""`callbridge templates`: what to paste into CloudTalk, for each trigger."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from bridge.commands.arguments import ONE_LINE
from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.domain.webhook.templates import PLACE, TEMPLATES, Template, as_data, variable


@click.command()
@click.argument("trigger", type=click.Choice(list(TEMPLATES)), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--url", type=ONE_LINE, help="The bridge's public address, such as https://bridge.example.com")
def templates(*, trigger: str | None, as_json: bool, url: str | None) -> None:
    """Show what to set up in CloudTalk: all triggers, or one."""
    chosen = [TEMPLATES[trigger]] if trigger else list(TEMPLATES.values())
    settings = load_settings()
    base = (url or "https://YOUR-BRIDGE").rstrip("/")
    if as_json:
        say(
            json.dumps(
                [as_data(template, base, below=settings.webhooks_path) for template in chosen], indent=2
            )
        )
        return
    say(as_text(chosen, base, below=settings.webhooks_path))
    if not settings.webhook_tokens:
        say(
            "\nNo WEBHOOK_TOKENS are set yet. Create one, set it for the web process, and put it in the "
            "header:\n  python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )


def as_text(chosen: Sequence[Template], base: str, *, below: str = "/webhooks") -> str:
    lines = [
        "For each trigger below, in CloudTalk:",
        f"  {PLACE}, pick the trigger,",
        '  add the action "API Request" with method POST, and fill in URL, headers and keys as shown.',
        "  Type in values in quotes; any other value is a variable to pick in the side bar,",
        "  in text format where the editor offers it. * is required; leave out what is not offered.",
        "  The smallest useful set is call-ended and recording-uploaded.",
    ]
    for template in chosen:
        lines += [
            "",
            f"{template.trigger}",
            f"  Trigger  {template.title}",
            f"  URL      {base}{below}/cloudtalk/{template.trigger}",
            "  Headers  Authorization: Bearer YOUR-TOKEN",
            "           Content-Type: application/json",
        ]
        if template.note:
            lines.append(f"  Note     {template.note}")
        for place, key in enumerate(template.keys):
            head = "Keys" if place == 0 else ""
            value = f'"{key.fixed}"' if key.fixed is not None else variable(key.name)
            note = f"  ({key.note})" if key.note else ""
            lines.append(f"  {head:<7}{'*' if key.needed else ' '} {key.name:<17} {value}{note}")
    return "\n".join(lines)
