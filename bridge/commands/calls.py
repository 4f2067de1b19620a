"""`callbridge calls`: list calls, show what became of one and why, sync it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from bridge.commands.opening import opened_ledger
from bridge.commands.tables import show_table
from bridge.errors import Rejected
from bridge.jobs.deps import open_deps
from bridge.jobs.forgetting import forget
from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from bridge.ledger.record import Record
from bridge.settings import Settings
from bridge.storage import open_storage
from bridge.web.listing import Search, list_calls
from bridge.web.views import STATES, call_view


@click.group()
def calls() -> None:
    """List calls, show what became of one, sync it again."""


@calls.command()
@click.option("--q", default="", help="Call id, uuid, number (3 digits or more), name, conversation id.")
@click.option("--state", type=click.Choice(STATES), help="Only calls that stand there.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As /api/calls answers.")
def ls(*, q: str, state: str | None, limit: int, as_json: bool) -> int:
    """List calls, the one last heard of first; numbers by their last digits."""
    with opened_ledger() as (ledger, settings):
        found = _search(ledger, settings, Search(q=q.strip(), state=state, limit=limit))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif found["calls"]:
        _table(found["calls"])
        if found["next"]:
            click.echo("There are more: raise --limit, or narrow it with --q and --state.")
    else:
        click.echo("No calls." if not (q or state) else "No such calls.")
    return 0


@calls.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="As /api/calls/ID answers.")
def show(*, name: str, as_json: bool) -> int:
    """Tell what came of one call, what was done, and what is next and why."""
    with opened_ledger() as (ledger, settings):
        view = call_view(ledger, settings.rules, _found(ledger, name))
    click.echo(json.dumps(view, indent=2) if as_json else told(view))
    return 0


@calls.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True)
def sync(*, name: str, as_json: bool) -> int:
    """Sync one call again: looks at what Kustomer has, and writes what differs."""
    with opened_ledger() as (ledger, _):
        key = _found(ledger, name).key
        ledger.replay("sync", key, who=trail.person())
        trail.leave(ledger, who=trail.person(), what="run again: sync", call=key)
    answer = {"status": "queued", "call": key}
    click.echo(json.dumps(answer) if as_json else f"{key} will be synced again by the next free worker.")
    return 0


@calls.command(name="forget")
@click.argument("name", metavar="ID")
@click.option("--upstream", is_flag=True, help="Delete the recording at CloudTalk too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True)
def forget_call(*, name: str, upstream: bool, yes: bool, as_json: bool) -> int:
    """Remove one call's audio and everything kept of it here; what Kustomer holds stays."""
    with opened_ledger() as (ledger, settings):
        record = _found(ledger, name)
        if not yes:
            click.confirm(f"Remove the audio and all that is kept of {record.key}, for good?", abort=True)
        cloudtalk = open_deps(settings, ledger).cloudtalk if upstream else None
        # Should this be cut short, the trail says what was begun, and by whom.
        trail.leave(ledger, who=trail.person(), what="to be forgotten", call=record.key)
        done = forget(
            record,
            ledger=ledger,
            storage=open_storage(settings.recordings_url, data_dir=settings.data_dir),
            rules=settings.rules,
            cloudtalk=cloudtalk,
        )
        trail.leave(ledger, who=trail.person(), what="forgotten", call=record.key)
    click.echo(json.dumps({"call": record.key, "done": done}) if as_json else "\n".join(done))
    return 0


def _found(ledger: Ledger, name: str) -> Record:
    record = ledger.find(name)
    if record is None:
        raise Rejected(
            f"No call is known by {name!r}: give its key, CloudTalk's call id or uuid (callbridge calls ls)."
        )
    return record


def _search(ledger: Ledger, settings: Settings, search: Search) -> dict[str, Any]:
    """One page, however many looks a narrow search takes."""
    found: list[dict[str, Any]] = []
    while True:
        page = list_calls(ledger, settings.rules, search)
        found += page["calls"]
        if page["next"] is None or len(found) >= search.limit:
            return {"calls": found[: search.limit], "next": page["next"]}
        search = Search.of(
            q=search.q, state=search.state or "", cursor=page["next"], limit=search.limit - len(found)
        )


def _table(lines: list[dict[str, Any]]) -> None:
    heads = ("call", "state", "number", "direction", "outcome", "started", "conversation", "why")
    rows = [
        (
            str(line["call_id"] or line["uuid"]),
            line["state"],
            _masked(line),
            line["direction"] or "",
            line["outcome"] or "",
            (line["started_at"] or "")[:19].replace("T", " "),
            line["conversation_id"] or "",
            line["reason"] or "",
        )
        for line in lines
    ]
    show_table(heads, rows)


def _masked(line: Mapping[str, Any]) -> str:
    return f"…{line['number_tail']}" if line["number_tail"] else ""


def told(view: Mapping[str, Any]) -> str:
    """One call for people to read."""
    why = f": {view['reason']}" if view["reason"] else ""
    facts = [view["direction"], view["outcome"], _masked(view), view["started_at"]]
    lines = [
        f"Call {view['call_id'] or '(number not known)'}  {view['uuid'] or '(uuid not known)'}",
        f"  {', '.join(fact for fact in facts if fact)}",
        f"  {view['state']}{why}",
        "",
        "What happened",
        *(
            f"  {entry['at'][:23].replace('T', ' ')}  {entry['what']}{_after(entry['detail'])}"
            for entry in view["timeline"]
        ),
        "",
        "In Kustomer",
        *(f"  {name}  {output['id']}" for name, output in view["outputs"].items()),
        *([] if view["outputs"] else ["  nothing so far"]),
        "",
        "What is next",
        *(_next(job) for job in view["jobs"]),
        *([] if view["jobs"] else [_NOTHING_NEXT[view["state"]]]),
    ]
    return "\n".join(lines)


# Of a call without jobs, by its state.
_NOTHING_NEXT = {
    "synced": "  nothing: all is done, unless something new is learnt",
    "skipped": "  nothing, unless something new is learnt (callbridge calls sync ID looks at it again)",
    "waiting": "  nothing is planned: callbridge calls sync ID looks at it again",
    "behind": "  nothing is planned: callbridge calls sync ID looks at it again",
}


def _after(detail: str | None) -> str:
    return f": {detail}" if detail else ""


def _next(job: Mapping[str, Any]) -> str:
    when = {
        "parked": "given up, waiting for a person (callbridge parked replay --call ID runs it again)",
        "running": "running now",
        "due": "due now",
        "waiting": f"at {(job['at'] or '')[:19].replace('T', ' ')}",
    }[job["state"]]
    tries = f", {job['attempts']} failed so far" if job["attempts"] else ""
    return f"  {job['kind']}: {when}{tries}{_after(job['error'] or job['cause'])}"
