"""`callbridge doctor`: is everything there that the bridge needs, and what to do where it is not."""

from __future__ import annotations

import click
import httpx2

from bridge.checks.examine import examine
from bridge.checks.release import release_checks
from bridge.clients.bounds import Client
from bridge.commands.context import load_settings
from bridge.commands.printing import say_checks
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
    say_checks(checks, as_json=as_json, width=17)
    return 1 if any(check.state == "FAIL" for check in checks) else 0
