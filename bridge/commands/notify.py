"""`callbridge notify`: try where notifications go."""

from __future__ import annotations

import json

import click

from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.errors import WrongUse
from bridge.notify.sending import name_of, send
from bridge.notify.texts import test_message


@click.group()
def notify() -> None:
    """Notifications of problems; NOTIFY_URLS says where they go."""


@notify.command("test")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def send_test(*, as_json: bool) -> int:
    """Send one test message to each address of NOTIFY_URLS. Exits with 1 if one was not delivered."""
    settings = load_settings(checks_addresses=True)
    urls = settings.notify_urls
    if not urls:
        raise WrongUse("NOTIFY_URLS is not set; see https://appriseit.com/services/ for addresses")
    message = test_message(public_url=settings.pages_url)
    results = send(urls, [message], [(0, number) for number in range(len(urls))])
    sent = [
        {"address": name_of(number, url), "delivered": not results[0, number], "why": results[0, number]}
        for number, url in enumerate(urls)
    ]
    if as_json:
        say(json.dumps({"sent": sent}, indent=2))
    else:
        for one in sent:
            how = "delivered" if one["delivered"] else f"NOT delivered: {one['why']}"
            say(f"{one['address']}: {how}")
    return 0 if all(one["delivered"] for one in sent) else 1
