"""`callbridge accounts`: the companies of this deployment, and what is wrong with their file."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import click

from bridge.accounts.file import read_accounts
from bridge.accounts.source import AccountsSource
from bridge.commands.context import read_settings
from bridge.commands.printing import say
from bridge.commands.tables import show_table
from bridge.errors import Unavailable, WrongUse
from bridge.ledger.faults import RedisError, why
from bridge.ledger.overview import Overview, read_overviews
from bridge.reports.accounts import MOST_A_PAGE, STATES, AccountRow, list_accounts
from bridge.settings import Settings
from bridge.wiring import is_in_cluster, open_ledger
from bridge.wording import counted

_NONE = "CALLBRIDGE_ACCOUNTS is not set: this deployment has one account, without a name"


@click.group(invoke_without_command=True)
@click.pass_context
def accounts(context: click.Context) -> None:
    """The accounts of CALLBRIDGE_ACCOUNTS: list them, check their file."""
    if context.invoked_subcommand is None:
        context.invoke(ls)


@accounts.command()
@click.option("-q", "q", default="", metavar="TEXT", help="Only accounts whose name contains this text.")
@click.option("--state", type=click.Choice(STATES), help="Only accounts in this state.")
@click.option("--limit", default=MOST_A_PAGE, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ls(*, q: str = "", state: str | None = None, limit: int = MOST_A_PAGE, as_json: bool = False) -> int:
    """List the accounts: whether each runs, what it has to do, when its last webhook came."""
    settings = read_settings().need("redis")
    if settings.callbridge_accounts is None:
        raise WrongUse(_NONE)
    source = AccountsSource(settings, logs=False)
    page = list_accounts(source, {}, q=q, state=state or "", limit=limit)
    stands = _overviews(settings, source, [row.name for row in page.rows])
    rows = [row.with_numbers(stands.get(row.name, Overview())) for row in page.rows]
    if as_json:
        say(json.dumps({"accounts": [row.as_json() for row in rows], "next": page.next}, indent=2))
        return 0
    show_table(("account", "state", "due", "parked", "held", "last webhook"), [_cells(row) for row in rows])
    for row in rows:
        if row.why:
            say(row.why, err=True)
    if page.found > len(rows):
        say(f"{len(rows)} of {counted(page.found, 'account')}; -q and --limit show others.")
    return 0


@accounts.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
def check(*, file: Path | None) -> int:
    """Check FILE, or that of CALLBRIDGE_ACCOUNTS: `FILE: [accounts.NAME] what; remedy` for each mistake."""
    settings = read_settings()
    path = file or settings.callbridge_accounts
    if path is None:
        raise WrongUse(f"{_NONE}. Give a FILE")
    found = read_accounts(path, settings)
    for line in found.complaints:
        say(line, err=True)
    right = [one.account for one in found.entries.values() if not one.wrong]
    paused = sum(one.is_paused for one in right)
    if found.is_readable:
        mistakes = counted(len(found.complaints), "mistake")
        say(f"{counted(len(right), 'account')} correct, {paused} of them paused; {mistakes}.")
    return 2 if found.complaints else 0


def _overviews(settings: Settings, source: AccountsSource, names: list[str]) -> dict[str, Overview]:
    accounts = source.now()
    try:
        if not is_in_cluster(settings):
            with closing(open_ledger(settings, timeout_s=3, patience=0)) as ledger:
                return read_overviews(ledger, names)
        found: dict[str, Overview] = {}
        for name in names:
            if name in accounts:
                with closing(open_ledger(accounts[name].settings, timeout_s=3, patience=0)) as ledger:
                    found |= read_overviews(ledger, [name])
        return found
    except (RedisError, OSError) as error:
        raise Unavailable(f"{why(error)}. `callbridge doctor` says what to do") from error


def _cells(row: AccountRow) -> tuple[str, ...]:
    heard = row.last_webhook_at
    return (
        row.name or "(unnamed)",
        row.state,
        str(row.due),
        str(row.parked),
        str(row.held),
        heard.strftime("%Y-%m-%d %H:%M:%S UTC") if heard else "none",
    )
