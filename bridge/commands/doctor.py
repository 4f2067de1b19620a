"""`callbridge doctor`: is everything there that the bridge needs, and what to do where it is not."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
import httpx2

from bridge.checks.examine import examine
from bridge.checks.release import release_checks
from bridge.clients.bounds import Client
from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.setting_needs import ALL_NEEDS


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--bulk",
    is_flag=True,
    help="Also try Kustomer's bulk requests: writes a customer with a note there, and deletes it. Workers "
    "use them in a backlog once this went well.",
)
@click.option(
    "--release",
    is_flag=True,
    help="For the release phase of a platform: ends within a minute, names everything that the processes "
    "need, and does not fail for a service that is paused.",
)
def doctor(*, as_json: bool, bulk: bool, release: bool) -> int:
    """Check settings, keys, Redis and the clock. Exits with 1 if a check fails."""
    settings = load_settings(need=ALL_NEEDS if release else (), says_notices=False, checks_addresses=True)
    with Client(timeout=httpx2.Timeout(8, connect=4)) as client:
        found = examine(settings, client)
        checks = list(release_checks(found, settings) if release else found)
        if bulk:
            # The clients take a while to load, and the other checks do without.
            from bridge.checks.bulk import look_at_bulk

            checks += look_at_bulk(settings, client)
    if as_json:
        say(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            say(f"{check.state:<4}  {check.name:<17} {check.says}")
            if check.do:
                say(f"      {'':<17} -> {check.do}")
    return 1 if any(check.state == "FAIL" for check in checks) else 0
