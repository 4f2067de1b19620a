"""`callbridge upgrade --check`: may this version be started on this ledger."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing

import click

from bridge import __version__, wiring
from bridge.checks.check import Check
from bridge.commands.context import load_settings
from bridge.commands.printing import say_checks
from bridge.errors import Unavailable
from bridge.ledger.faults import RedisError, why
from bridge.ledger.ledger import Ledger
from bridge.ledger.schema import VERSION, read_schema, take_up
from bridge.settings import Settings
from bridge.wording import counted

_LEAST_FREE = 500_000_000


@click.command()
@click.option("--check", "only_check", is_flag=True, help="Change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def upgrade(*, only_check: bool, as_json: bool) -> int:
    """Check whether this version can take the ledger over; without --check, migrate it, too.

    Run it with the new version, before its processes are started. Each process migrates by itself when it
    starts. Exits with 0 if all is well, 2 if something is in the way.
    """
    # Exits with 2 itself where a setting or the rules file is wrong.
    settings = load_settings(need=["redis"], says_notices=False, checks_addresses=True)
    with closing(wiring.open_ledger(settings, patience=1)) as ledger:
        try:
            checks = list(_checks(settings, ledger))
            blocked = any(check.state == "FAIL" for check in checks)
            if not blocked and not only_check:
                take_up(ledger)
        except (RedisError, OSError) as error:
            raise Unavailable(f"{why(error)}. `callbridge doctor` says what to do") from error
    say_checks(checks, as_json=as_json, width=10)
    return 2 if blocked else 0


def _checks(settings: Settings, ledger: Ledger) -> Iterator[Check]:
    yield Check("version", "ok", f"callbridge {__version__}, schema {VERSION}")
    yield Check("settings", "ok", "readable and valid")
    for notice in settings.notices:
        yield Check("settings", "warn", notice, "rename or remove it")
    rules = settings.callbridge_rules
    says = f"{rules} is valid" if rules else "the default ones: CALLBRIDGE_RULES is not set"
    yield Check("rules", "ok", says)
    yield _schema(ledger)
    yield _processes(ledger)
    for folder in wiring.folders(settings):
        if folder.is_dir():
            free = shutil.disk_usage(folder).free
            says = f"{free / 1e9:.1f} GB free for {folder}"
            few = free < _LEAST_FREE
            yield Check("disk", "warn" if few else "ok", says, "make room before a backup" if few else "")


def _schema(ledger: Ledger) -> Check:
    found = read_schema(ledger)
    if found.refusal:
        return Check("ledger", "FAIL", found.refusal)
    if found.version is None:
        return Check("ledger", "ok", "empty")
    if found.version < VERSION:
        return Check(
            "ledger", "ok", f"schema {found.version}, which is made {VERSION} while the bridge works"
        )
    return Check("ledger", "ok", f"schema {found.version}")


def _processes(ledger: Ledger) -> Check:
    """Those of another version go on while a ledger is migrated: a rolling restart needs no pause."""
    running = ledger.processes()
    others = sorted({one.version for one in running} - {__version__})
    if others:
        count = sum(one.version != __version__ for one in running)
        says = f"{counted(count, 'process')} of another version: {', '.join(others)}"
        return Check("processes", "warn", says, "restart them with this version, one after the other")
    return Check("processes", "ok", f"{len(running)} of this version" if running else "none is running")
