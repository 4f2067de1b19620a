"""`callbridge parity`: do both roads tell the same?"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

import click

from bridge import logs
from bridge.actions import Services
from bridge.actions.operation import ServiceName
from bridge.actions.parity import Row, compare
from bridge.client_factory import ClientFactory
from bridge.clients.http import make_client
from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.errors import WrongUse
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.settings import Settings, Via
from bridge.wiring import open_budgets, opened_ledger
from bridge.wording import counted

_SAME, _NEEDS_A_PERSON = 0, 3
_BOTH: Sequence[ServiceName] = ("cloudtalk", "kustomer")


@click.command()
@click.option("--service", type=click.Choice(_BOTH), help="Compare only this service; default: both.")
@click.option("--json", "as_json", is_flag=True)
def parity(*, service: ServiceName | None, as_json: bool) -> int:
    """Make the same requests directly and through Membrane, and show what differs.

    Reads only: about 14 requests to CloudTalk and 26 to Kustomer, within the bridge's budgets if REDIS_URL is
    set. Exits with 3 if answers differ or are missing, with 2 if either access is not set up.
    """
    settings = load_settings()
    logs.configure(format=settings.log_format, level="WARNING")
    services = (service,) if service else tuple(_BOTH)
    _need_both_roads(settings, services)
    patience = BudgetWaiter(pause=time.sleep, say=lambda text: say(text, err=True))
    with ExitStack() as ends:
        client = ends.enter_context(make_client())
        # Both roads lead to the same service, and spend of one share. None where no bridge runs.
        ledger = ends.enter_context(opened_ledger(settings)) if settings.redis_url is not None else None
        shares = open_budgets(settings, ledger) if ledger is not None else {}

        def by(via: Via) -> Services:
            clients = ClientFactory(_by(settings, via), client)
            return Services(
                cloudtalk=clients.cloudtalk(shares.get("cloudtalk")) if "cloudtalk" in services else None,
                kustomer=clients.kustomer(shares.get("kustomer")) if "kustomer" in services else None,
            )

        rows = []
        for row in compare(by("direct"), by("membrane"), service=service, ask=patience.ask):
            rows.append(row)
            if not as_json:
                say(f"{row.state:<8} {row.service:<10} {row.operation}")
                for text in row.differences:
                    say(f"         {'':<10} {text}")
    if as_json:
        say(json.dumps([row.as_json() for row in rows], indent=2))
    else:
        say(_sum(rows))
    return _SAME if all(row.state in ("same", "skipped") for row in rows) else _NEEDS_A_PERSON


def _need_both_roads(settings: Settings, services: Sequence[ServiceName]) -> None:
    """Raises WrongUse, which names all that is missing for either road."""
    missing = []
    for via in ("direct", "membrane"):
        try:
            _by(settings, via).need(*services)
        except WrongUse as error:
            missing += str(error).splitlines()[1:]
    if missing:
        raise WrongUse("Direct access and Membrane must both be set up. Missing:\n" + "\n".join(missing))


def _by(settings: Settings, via: Via) -> Settings:
    return settings.model_copy(update={"cloudtalk_via": via, "kustomer_via": via})


def _sum(rows: Sequence[Row]) -> str:
    count = Counter(row.state for row in rows)
    if count["failed"] or count["differs"]:
        return f"{count['same']} the same, {count['differs']} differ, {count['failed']} failed"
    nothing = f"; {count['skipped']} skipped, nothing to read" if count["skipped"] else ""
    return f"Both give the same answers: {counted(count['same'], 'read')}{nothing}"
