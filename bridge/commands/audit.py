"""`callbridge audit`: does Kustomer hold what CloudTalk's calls say it should?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from bridge import logs
from bridge.commands.backfill import AGAIN, PATIENCE, calls
from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.commands.spans import read_span
from bridge.commands.tables import show_table
from bridge.domain.moments import shown_time
from bridge.ledger import trail
from bridge.ledger.queue.parked import workers_listen
from bridge.plain import plain_line
from bridge.reconcile.audit import Audit, Findings
from bridge.reconcile.compare import Span
from bridge.reconcile.repair import repair_findings
from bridge.wiring import open_deps, opened_ledger

_LONGEST_WHY = 200
_CLEAN, _NEEDS_A_PERSON = 0, 3
_FINDINGS: Mapping[str, str] = {
    "missing": "Calls without conversation or note",
    "duplicated": "More than one conversation or note for a call",
    "unknown": "Conversations without a call",
    "recordings_missing": "Recordings not attached to their note",
}


@click.command()
@click.option("--since", required=True, help="2026-11-20T08:00, 2026-11-20, or how long ago: 90m, 24h, 7d.")
@click.option("--until", help="Same format; default: now. Times without a zone are in TIME_ZONE.")
@click.option("--repair", is_flag=True, help="Queue what is missing; nothing is deleted.")
@click.option("--json", "as_json", is_flag=True)
def audit(*, since: str, until: str | None, repair: bool, as_json: bool) -> int:
    """Compare CloudTalk's calls with Kustomer's conversations. Exits with 3 if they differ."""
    settings = load_settings(need=("redis", "cloudtalk", "kustomer"))
    logs.configure(format=settings.log_format, level="WARNING")
    span = read_span(since, until, now=datetime.now(UTC), zone=settings.time_zone)
    with opened_ledger(settings, hint=AGAIN) as ledger:
        look = Audit(open_deps(settings, ledger), span, PATIENCE)
        findings = look.look(datetime.now(UTC))
        done = repair_findings(ledger, look, findings, who=trail.person()) if repair else None
        queued = repair and bool(findings.missing or findings.recordings_missing)
        next_is = _next(workers_listen(ledger)) if queued else ""
    if as_json:
        say(json.dumps(findings.as_json(span) | ({} if done is None else {"repaired": done}), indent=2))
    else:
        _show(span, findings, done, settings.time_zone)
        if look.dropped:
            say(f"\nSkipped, because a person dropped them (callbridge calls show): {len(look.dropped)}")
    if next_is:
        # Standard output is a program's, with --json.
        say(next_is, err=as_json)
    return _CLEAN if findings.clean else _NEEDS_A_PERSON


def _next(listening: bool) -> str:
    """Who does what was queued."""
    if listening:
        return "The workers are on it; run the audit again when the queue is empty."
    return "No worker is running; the work starts when one does (callbridge worker)."


def _show(span: Span, findings: Findings, done: list[str] | None, zone: str) -> None:
    """As tables for people."""
    times = f"{shown_time(span.since, zone)} to {shown_time(span.until, zone)}"
    say(f"{calls(findings.calls)} from {times}")
    for name, title in _FINDINGS.items():
        items: list[dict[str, Any]] = getattr(findings, name)
        say(f"\n{title}: {len(items)}" if items else f"{title}: none")
        if items:
            # Not all of them tell the same. The reason may be long, and stands last.
            columns = [*dict.fromkeys(name for item in items for name in item if name not in ("uuid", "why"))]
            columns += ["why"] if any("why" in item for item in items) else []
            rows = [[_cell(name, item.get(name), zone) for name in columns] for item in items]
            show_table([name.replace("_", " ") for name in columns], rows)
    if done is not None:
        say("\nRepair" if done else "\nNothing can be repaired safely.")
        for line in done:
            say(f"  {plain_line(line)}")
    elif findings.missing or findings.recordings_missing:
        say("\n--repair imports missing calls and recordings.")


def _cell(column: str, value: Any, zone: str) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if value and column.endswith("_at"):
        return shown_time(str(value), zone)
    text = "" if value is None else str(value)
    return text[:_LONGEST_WHY] if column == "why" else text
