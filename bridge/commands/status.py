"""`callbridge status`: is all well, in one look, for people and for whatever watches the bridge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import click

from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.commands.tables import show_table
from bridge.errors import Unavailable
from bridge.ledger.faults import RedisError, why
from bridge.ledger.queue.connections import TITLES
from bridge.ledger.schema import shown_schema
from bridge.reports.status import status_view
from bridge.wiring import open_budgets, open_connections, open_ledger

_WELL, _REDIS_AWAY, _NEEDS_A_PERSON = 0, 1, 3
_NUMBERS = ("due", "overdue", "waiting", "running", "parked", "held", "calls_missing")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, as_json: bool) -> int:
    """Show whether all is well. Exits with 0 if so, 3 if a person has to act, 1 if Redis is unavailable."""
    settings = load_settings(looks_on=True)
    report: dict[str, Any] = {"ok": False, "says": [], "processes": [], "queue": {}, "budgets": {}}
    report["schema"] = {}
    try:
        if settings.redis_url is None:
            raise Unavailable(
                f"REDIS_URL is not set, and no `callbridge up` is running on {settings.data_dir}"
            )
        with closing(open_ledger(settings, timeout_s=3, patience=0)) as ledger:
            budgets = open_budgets(settings, ledger).values()
            report = status_view(ledger, budgets, open_connections(settings, ledger))
            report["schema"] = shown_schema(ledger)
            if refused := report["schema"]["refused"]:
                report["ok"], report["says"] = False, [refused, *report["says"]]
        code = _WELL if report["ok"] else _NEEDS_A_PERSON
    except (RedisError, OSError) as error:
        report["says"], code = [why(error)], _REDIS_AWAY
    except Unavailable as error:
        report["says"], code = [str(error)], _REDIS_AWAY
    if as_json:
        say(json.dumps(report, indent=2))
    else:
        _print(report)
    return code


def _print(report: Mapping[str, Any]) -> None:
    says, queue = report["says"], report["queue"]
    say("\n".join(says) if says else "All is well.")
    if report["processes"]:
        say()
        show_table(
            ("kind", "host", "pid", "version", "rules", "threads busy"),
            [
                (
                    one["kind"],
                    one["host"],
                    str(one["pid"]),
                    one["version"],
                    one["rules"],
                    f"{one['busy']} of {one['threads']}",
                )
                for one in report["processes"]
            ],
        )
    if queue:
        numbers = [f"{queue[name]} {name.replace('_', ' ')}" for name in _NUMBERS if queue[name] is not None]
        say("\nJobs: " + ", ".join(numbers))
        for service, budget in report["budgets"].items():
            say(f"{TITLES[service]}: {budget['left']} of {budget['per_window']} requests left")
        for service, operation in queue["slow"].items():
            say(f"{TITLES[service]} did not answer {operation} in time within the last minutes.")
