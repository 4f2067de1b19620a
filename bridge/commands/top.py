"""`callbridge top`: what `status` and `calls ls` tell, live on one screen."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from bridge.commands import DONE
from bridge.commands.context import load_settings
from bridge.domain.moments import shown_time
from bridge.domain.rules.model import Rules
from bridge.errors import WrongUse
from bridge.ledger.faults import RedisError, why
from bridge.ledger.queue.connections import TITLES
from bridge.plain import plain_line
from bridge.reports.call_row import CallRow, line_of, masked
from bridge.reports.now import Now, now_view
from bridge.reports.views import queue_view
from bridge.rules_source import RulesSource
from bridge.settings import Settings
from bridge.wiring import open_budgets, open_connections, open_ledger
from bridge.wording import counted

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from bridge.ledger.ledger import Ledger

# Colours by a call's state: the word stands beside them, so nobody has to tell colours apart.
_STATE_STYLES = {"synced": "green", "parked": "red", "behind": "yellow", "waiting": "cyan", "skipped": "dim"}


@click.command()
@click.option(
    "--every-s",
    type=click.FloatRange(0.5, 60),
    default=1.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--once", is_flag=True, help="Print one screen and exit; works without a terminal.")
def top(*, every_s: float, once: bool) -> int:
    """Show queue, budgets, processes and the last calls, live. Ctrl-C ends it."""
    if not once and not sys.stdout.isatty():
        raise WrongUse("callbridge top needs a terminal; use --once, or callbridge status --json in scripts.")
    from rich.console import Console
    from rich.live import Live

    settings = load_settings(need=["redis"], looks_on=True)
    console, rules = Console(), RulesSource(settings)
    with closing(open_ledger(settings, timeout_s=3, patience=0)) as ledger:
        if once:
            console.print(_screen(_look(ledger, settings, rules()), settings))
            return DONE
        pause = threading.Event()
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                try:
                    live.update(_screen(_look(ledger, settings, rules()), settings), refresh=True)
                except (RedisError, OSError) as error:
                    live.update(_away(error), refresh=True)
                pause.wait(every_s)


def _look(ledger: Ledger, settings: Settings, rules: Rules) -> Now:
    budgets = open_budgets(settings, ledger).values()
    queue = queue_view(ledger, budgets, open_connections(settings, ledger))
    return now_view(ledger, rules, queue)


def _screen(now: Now, settings: Settings) -> Group:
    from rich.console import Group
    from rich.rule import Rule
    from rich.text import Text

    clock = datetime.now(ZoneInfo(settings.time_zone)).strftime("%H:%M:%S")
    head = Text.assemble(
        ("callbridge ", "bold"), clock, f" {settings.time_zone}   last hour: ", *_counts(now)
    )
    return Group(
        head,
        _problems(now),
        Rule(style="dim"),
        _lanes(now.queue),
        _budgets(now.queue),
        _processes(now),
        Rule(style="dim"),
        _calls(now.rows, settings.time_zone),
    )


def _counts(now: Now) -> list[str]:
    calls = counted(now.in_last_hour("calls"), "call")
    counts = [calls, *(f"{now.in_last_hour(what)} {what}" for what in ("written", "parked"))]
    usual = now.usual_delay_s
    return [", ".join(counts), f"   hang-up to note: {usual:.0f} s" if usual is not None else ""]


def _problems(now: Now) -> Any:
    from rich.text import Text

    if not now.problems:
        return Text("● All is well.", style="green")
    text = Text()
    for place, one in enumerate(now.problems):
        style = "bold red" if one.severity == "failure" else "yellow"
        text.append(("\n" if place else "") + "▲ " + plain_line(one.says), style=style)
        text.append(f" {plain_line(one.do)}")
    return text


def _lanes(queue: Mapping[str, Any]) -> Table:
    table = _table("lane", "due", "overdue", "waiting", "running", "oldest due")
    for name, lane in queue["lanes"].items():
        numbers = [str(lane[what]) for what in ("due", "overdue", "waiting", "running")]
        table.add_row(name, *numbers, f"{lane['oldest_due_s']:.0f} s" if lane["oldest_due_s"] else "")
    missing = queue["calls_missing"]
    table.caption = f"{queue['parked']} parked, {queue['held']} held" + (
        f", {missing} calls missing" if missing is not None else ""
    )
    table.caption_justify = "left"
    return table


def _budgets(queue: Mapping[str, Any]) -> Table:
    table = _table("service", "requests left", "jobs waiting", "done in")
    for service, budget in queue["budgets"].items():
        jobs, drain = sum(lane["jobs"] for lane in budget["waiting"].values()), budget["drain_s"]
        table.add_row(
            TITLES.get(service, service),
            f"{budget['left']} of {budget['per_window']}",
            str(jobs),
            f"{drain:.0f} s" if drain else "",
        )
    return table


def _processes(now: Now) -> Table:
    table = _table("process", "host", "pid", "version", "threads busy")
    for one in now.running:
        table.add_row(
            one.kind, plain_line(one.host), str(one.pid), one.version, f"{one.busy} of {one.threads}"
        )
    return table


def _calls(rows: Sequence[CallRow], zone: str) -> Any:
    from rich.text import Text

    if not rows:
        return Text("No calls yet. callbridge listen shows whether webhooks arrive.", style="dim")
    table = _table("call", "state", "number", "direction", "outcome", "started", "why")
    for row in rows:
        line = line_of(masked(row))
        tail = f"…{line['number_tail']}" if line["number_tail"] else ""
        state = Text(line["state"], style=_STATE_STYLES.get(line["state"], ""))
        table.add_row(
            str(line["call_id"] or line["uuid"]),
            state,
            tail,
            line["direction"] or "",
            line["outcome"] or "",
            shown_time(line["started_at"], zone),
            plain_line(line["reason"] or ""),
        )
    return table


def _away(error: Exception) -> Any:
    from rich.text import Text

    return Text(f"▲ {plain_line(why(error))}. Trying again.", style="bold red")


def _table(*heads: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim", expand=False)
    numbers = {"due", "overdue", "waiting", "running", "oldest due", "pid", "jobs waiting", "done in"}
    for head in heads:
        table.add_column(head, justify="right" if head in numbers else "left", overflow="fold")
    return table
