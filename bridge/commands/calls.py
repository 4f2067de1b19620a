"""`callbridge calls`: list calls, show what became of one and why, sync it again."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import click

from bridge.commands.context import living_run
from bridge.commands.forget import forget_one, found_call
from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.commands.tables import show_table
from bridge.domain.moments import shown_time
from bridge.errors import WrongUse
from bridge.ledger import trail
from bridge.ledger.calls.by_hand import assign as assign_call
from bridge.ledger.calls.by_hand import sync_again
from bridge.ledger.calls.record import Record
from bridge.ledger.ledger import Ledger
from bridge.plain import plain_line
from bridge.reports.call_list import DIRECTIONS, OUTCOMES, Cursor, Search, list_calls
from bridge.reports.call_state import STATES
from bridge.reports.views import call_view
from bridge.settings import Settings
from bridge.wiring import app_links
from bridge.wording import counted

_WATCH_EVERY_S = 2.0


@click.group()
def calls() -> None:
    """List calls, show one, sync it again."""


@calls.command()
@click.option(
    "--q",
    default="",
    help="Search by number (3 digits or more of it), call id, uuid, customer, agent, reason, day or "
    "conversation id.",
)
@click.option("--state", type=click.Choice(STATES), help="Only calls in this state.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only calls with this outcome.")
@click.option("--direction", type=click.Choice(DIRECTIONS), help="Only calls in this direction.")
@click.option("--agent", help="Part of the agent's name, or the agent's CloudTalk id.")
@click.option(
    "--since", help="Only calls that started at or after: 2026-11-20T08:00, 2026-11-20, or 24h (ago)."
)
@click.option("--until", help="Only calls that started before. Times without a zone are in TIME_ZONE.")
@click.option("--cursor", help="Next page: the `next` value of the previous answer.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--watch", is_flag=True, help="Show the list again every 2 s until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as /api/calls returns it.")
def ls(*, limit: int, watch: bool, as_json: bool, **filters: str | None) -> int:
    """List calls, most recent activity first; numbers show their last digits only."""
    if watch and (as_json or not sys.stdout.isatty()):
        raise WrongUse("--watch needs a terminal and excludes --json; run the command repeatedly instead.")
    given = {name: (text or "").strip() for name, text in filters.items()} | {"limit": str(limit)}
    with opened_ledger() as (ledger, settings):
        while True:
            search = Search.read(given, now=datetime.now(UTC), zone=settings.time_zone)
            found = _search(ledger, settings, search)
            if watch:
                click.clear()
            _tell(found, settings.time_zone, filtered=any(filters.values()), as_json=as_json)
            if not watch:
                return 0
            threading.Event().wait(_WATCH_EVERY_S)


def _tell(found: Mapping[str, Any], zone: str, *, filtered: bool, as_json: bool) -> None:
    if as_json:
        say(json.dumps(found, indent=2))
    elif found["calls"]:
        _table(found["calls"], zone)
        if found["next"]:
            say(f"More: --cursor '{found['next']}'")
    else:
        say("No calls match." if filtered else "No calls.")


@calls.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as /api/calls/ID returns it.")
def show(*, name: str, as_json: bool) -> int:
    """Show one call: what was received, what was done, what is next and why."""
    with opened_ledger() as (ledger, settings):
        record = found_call(ledger, name)
        view = call_view(ledger, settings.rules, record)
    text = call_as_text(view, zone=settings.time_zone, is_forgotten=record.forgotten)
    say(json.dumps(view, indent=2) if as_json else text)
    return 0


@calls.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True)
def sync(*, name: str, as_json: bool) -> int:
    """Sync one call again: compare with Kustomer and write what differs."""
    with opened_ledger() as (ledger, _):
        record = found_call(ledger, name)
        key = record.key
        sync_again(ledger, record, who=trail.person())
    answer = {"status": "queued", "call": key}
    say(json.dumps(answer) if as_json else f"{key} will be synced by the next free worker.")
    return 0


@calls.command()
@click.argument("name", metavar="ID")
@click.argument("customer", metavar="CUSTOMER")
@click.option("--json", "as_json", is_flag=True)
def assign(*, name: str, customer: str, as_json: bool) -> int:
    """Say whose call it is: CUSTOMER is the id of a Kustomer customer.

    The call is written for, or moved to, this customer, and so are the calls of its number from now on.
    """
    customer_id = customer.strip().lower()
    if not re.fullmatch("[0-9a-f]{24}", customer_id):
        raise WrongUse(
            f"{customer!r} is no id of a Kustomer customer: 24 hex digits, as the address of their page has"
        )
    with opened_ledger() as (ledger, settings):
        record = found_call(ledger, name)
        number = record.call(settings.rules).external
        assign_call(ledger, record, customer_id, number=number, who=trail.person())
    answer = {"status": "queued", "call": record.key, "customer_id": customer_id}
    say(json.dumps(answer) if as_json else f"{record.key} goes to customer {customer_id} next.")
    return 0


@calls.command(name="open")
@click.argument("name", metavar="ID")
@click.option("--print", "prints_only", is_flag=True, help="Print the addresses; open nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; open nothing.")
def open_call(*, name: str, prints_only: bool, as_json: bool) -> int:
    """Open a call's page in the browser, and print where it is in Kustomer and CloudTalk.

    The links need PUBLIC_URL (or a running `callbridge up`), KUSTOMER_APP_URL and CLOUDTALK_APP_URL.
    """
    with opened_ledger() as (ledger, settings):
        record = found_call(ledger, name)
        links = _links(record, settings)
    if as_json:
        say(json.dumps({"links": [{"what": what, "url": url} for what, url in links]}, indent=2))
        return 0
    for what, url in links:
        say(f"{what:<24}  {url}")
    if not prints_only and sys.stdout.isatty():
        click.launch(links[0][1])
    return 0


def _links(record: Record, settings: Settings) -> list[tuple[str, str]]:
    """Words and address of each; the bridge's own page first."""
    run = living_run(settings.deployment_dir)
    base = settings.public_url or (run.web_url if run else f"http://{settings.host}:{settings.port}")
    ids = {what: output.id for what, output in record.outputs.items()}
    theirs = app_links(settings).of_call(
        call_id=record.call_id, conversation_id=ids.get("conversation"), customer_id=ids.get("customer")
    )
    return [
        (
            "Call in callbridge",
            f"{base.rstrip('/')}{settings.pages_path}/calls/{quote(record.key, safe=':')}",
        ),
        *theirs,
    ]


@calls.command(name="forget")
@click.argument("name", metavar="ID")
@click.option("--upstream", is_flag=True, help="Also delete the recording at CloudTalk.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--json", "as_json", is_flag=True)
def forget_call(*, name: str, upstream: bool, yes: bool, as_json: bool) -> int:
    """Erase one call's audio and all its data here; Kustomer's data stays.

    The same as callbridge forget --call ID.
    """
    return forget_one(name, remove_at=("cloudtalk",) if upstream else (), yes=yes, as_json=as_json)


def _search(ledger: Ledger, settings: Settings, search: Search) -> dict[str, Any]:
    """One page, however many looks a narrow search takes."""
    found: list[dict[str, Any]] = []
    while True:
        page = list_calls(ledger, settings.rules, search)
        found += page["calls"]
        if page["next"] is None or len(found) >= search.limit:
            return {"calls": found[: search.limit], "next": page["next"]}
        search = replace(search, cursor=Cursor.read(page["next"]), limit=search.limit - len(found))


def _table(lines: list[dict[str, Any]], zone: str) -> None:
    heads = ("call", "state", "number", "direction", "outcome", "started", "conversation", "why")
    rows = [
        (
            str(line["call_id"] or line["uuid"]),
            line["state"],
            _masked(line),
            line["direction"] or "",
            line["outcome"] or "",
            shown_time(line["started_at"], zone),
            line["conversation_id"] or "",
            line["reason"] or "",
        )
        for line in lines
    ]
    show_table(heads, rows, optional=("conversation", "direction", "outcome"), below="why")


def _masked(line: Mapping[str, Any]) -> str:
    return f"…{line['number_tail']}" if line["number_tail"] else ""


def call_as_text(view: Mapping[str, Any], *, zone: str, is_forgotten: bool = False) -> str:
    """One call for people to read, its times in `zone`."""
    nothing_next = _FORGOTTEN if is_forgotten else _NOTHING_NEXT.get(view["state"], "  nothing scheduled")
    why = f": {plain_line(view['reason'])}" if view["reason"] else ""
    facts = [
        view["direction"],
        view["outcome"],
        _masked(view),
        shown_time(view["started_at"], zone, to="seconds"),
    ]
    lines = [
        f"Call {view['call_id'] or '(number unknown)'}  {view['uuid'] or '(uuid unknown)'}",
        f"  {', '.join(fact for fact in facts if fact)}",
        f"  {view['state']}{why}",
        *([f"  by rules version {view['rules']}"] if view["rules"] not in (None, "default") else []),
        *([f"  {plain_line(view['owner']['says'])}"] if view.get("owner") else []),
        "",
        *_customers(view),
        "What happened",
        *(
            f"  {shown_time(entry['at'], zone, to='milliseconds')}  "
            + plain_line(entry["what"])
            + _after(entry["detail"])
            for entry in view["timeline"]
        ),
        "",
        "In Kustomer",
        *(f"  {name}  {output['id']}" for name, output in view["outputs"].items()),
        *([] if view["outputs"] else ["  nothing yet"]),
        "",
        "What is next",
        *(_next(job, zone) for job in view["jobs"]),
        *([] if view["jobs"] else [nothing_next]),
    ]
    return "\n".join(lines)


def _customers(view: Mapping[str, Any]) -> list[str]:
    """Those who share the number, and why the call is one's; nothing where there was nothing to choose."""
    if not view.get("candidates") and not view.get("customer_why"):
        return []
    lines = [f"  {plain_line(view['customer_why'])}"] if view.get("customer_why") else []
    lines += [
        f"  {one['id']}  {plain_line(one['name'] or '(no name)')}" for one in view.get("candidates", [])
    ]
    if view["state"] == "parked" and view.get("candidates"):
        lines.append(f"  callbridge calls assign {view['call_id'] or view['uuid']} CUSTOMER chooses one")
    return ["Whose call it is", *lines, ""]


_FORGOTTEN = "  nothing: the call was forgotten on request"
# Of a call without jobs, by its state.
_NOTHING_NEXT = {
    "synced": "  nothing: done, until something new arrives",
    "skipped": "  nothing, until something new arrives (callbridge calls sync ID checks it again)",
    "waiting": "  nothing scheduled: callbridge calls sync ID checks it again",
    "behind": "  nothing scheduled: callbridge calls sync ID checks it again",
}


def _after(detail: str | None) -> str:
    return f": {plain_line(detail)}" if detail else ""


def _next(job: Mapping[str, Any], zone: str) -> str:
    when = {
        "parked": "failed, waiting for a person (callbridge parked replay --call ID runs it again)",
        "running": "running now",
        "due": "due now",
        "waiting": f"at {shown_time(job['at'], zone, to='seconds')}",
    }[job["state"]]
    tries = f", {counted(job['attempts'], 'failed attempt')} so far" if job["attempts"] else ""
    return f"  {job['kind']}: {when}{tries}{_after(job['error'] or job['cause'])}"
