"""What each choice costs in requests, measured: `python -m tests.day.costs` prints the table of the handbook.

Each row brings a bridge into a state, forgets what was sent so far, and counts the requests of what follows.

    python -m tests.day.costs               measure all, print the table
    python -m tests.day.costs cue_card      only rows whose text has this in it
    python -m tests.day.costs --write       put the table of all into deploy/budgets.md
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import structlog

from bridge.ledger.calls import by_hand
from bridge.ledger.connect import connect
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.day.option_costs import OPTIONS
from tests.day.trying import PHONE, Measured, Row, Try, measure
from tests.reaper import Reaper

HANDBOOK = Path(__file__).parents[2] / "deploy" / "budgets.md"
_HEADING = "\n## What a call costs\n"

_SHARED = {"phones": [], "sharedPhones": [{"type": "mobile", "phone": PHONE}]}

_SEVERAL = 'version = 2\n[customer]\nseveral = "newest"\n'
_MATCH_PHONE = 'version = 2\n[customer]\nmatch = ["phone"]\n'
_MATCH = 'version = 2\n[customer]\nmatch = ["phone", "shared_phone", "email", "external_id"]\n'
_AGENTS = 'version = 2\n[agents]\nassign = "longest"\n'
_TEAM = 'version = 2\n[agents]\nassign = "none"\n[conversation]\nteam = "Sales"\n'
_ITEM = 'version = 2\n[conversation]\nper = "missed_caller"\n'
_COMPLETE = 'version = 2\n[write]\nwrite = "complete"\n'
_PATH = 'version = 2\n[[rule]]\nwhen = { out_of_hours = true }\nthen = { status = "open" }\n'
_SNOOZED = 'version = 2\n[conversation]\nstatus = { missed = "snoozed" }\n'
_KEPT_OUT = 'version = 2\n[[rule]]\nwhen = { direction = "incoming" }\nthen = { write = false }\n'


def _two_share(one: Try, *, with_conversation: bool = False) -> None:
    ids = [one.customer(**{**_SHARED, "name": name}) for name in ("Ada Example", "Cy Example")]
    if with_conversation:
        one.bridge.deps.kustomer.conversations.create({"customer": ids[0]})


def _assign(one: Try) -> None:
    """The newest call goes to another customer."""
    ledger = one.bridge.ledger
    (key, _), *_ = ledger.recent(count=1)
    record = ledger.read(key)
    chosen = one.sandbox.kustomer.add_customer(name="Cy Example")
    by_hand.assign(ledger, record, chosen, number=record.call(one.bridge.rules).external, who="a test")
    one.bridge.run_jobs()


def _assigned_before(one: Try) -> None:
    one.call()
    _assign(one)


def _recorded_later(one: Try) -> None:
    """The recording is announced 20 s after the call's end, when a call that waits for nothing is written."""
    one.call(recorded=True, announced_after_s=20)


def _known_and_agents(one: Try) -> None:
    one.customer()
    one.agents()


def _known_agents_and_a_call(one: Try) -> None:
    _known_and_agents(one)
    one.call()


def _known_and_missed(one: Try) -> None:
    one.customer()
    one.miss()


def _known_and_team(one: Try) -> None:
    one.customer()
    one.sandbox.kustomer.add_team(name="Sales")


_FALLBACK = f'{_AGENTS}fallback_team = "Support"\n'


def _owned_before(one: Try) -> None:
    """An agent, the team, and the contact whose favourite the agent is; a call was owned within the hour."""
    one.agents()
    one.sandbox.kustomer.add_team(name="Support")
    one.sandbox.cloudtalk.add_contact(id=1400000104, name="Ada Example", favorite_agent=400101)
    one.call()


def _team_alone(one: Try) -> None:
    one.sandbox.cloudtalk.add_agent(id=400101)
    one.sandbox.kustomer.add_team(name="Support")


BASIC: tuple[Row, ...] = (
    Row(what="a new caller"),
    Row(what="a caller whom Kustomer knows", before=Try.customer),
    Row(what="a caller who called within the last day", before=Try.call),
    Row(what="with a recording: a new caller", then=lambda one: one.call(recorded=True)),
    Row(
        what="with a recording: a known caller",
        before=Try.customer,
        then=lambda one: one.call(recorded=True),
    ),
    Row(
        what="with a recording that is announced 20 s after the end: a known caller",
        before=Try.customer,
        then=_recorded_later,
    ),
    Row(what='`write = "complete"`, the same: a new caller', rules=_COMPLETE, then=_recorded_later),
    Row(
        what='`write = "complete"`, the same: a known caller',
        rules=_COMPLETE,
        before=Try.customer,
        then=_recorded_later,
    ),
    Row(
        what='`write = "complete"`, the same: a caller who called within the last day',
        rules=_COMPLETE,
        before=Try.call,
        then=_recorded_later,
    ),
    Row(what="`several` stated: a new caller, who is also searched", rules=_SEVERAL),
    Row(what="`several` stated: two customers share the number", rules=_SEVERAL, before=_two_share),
    Row(
        what='`several = "most_recent_conversation"`: two share it, one of them has conversations',
        rules=_SEVERAL.replace("newest", "most_recent_conversation"),
        before=lambda one: _two_share(one, with_conversation=True),
    ),
    Row(what="`match` with all four stated: a new caller, whose e-mail is asked for", rules=_MATCH),
    Row(what="`search = false`: a new caller", rules=f"{_MATCH_PHONE}search = false\n"),
    Row(what='`unknown = "skip"`: a new caller', rules='version = 2\n[customer]\nunknown = "skip"\n'),
    Row(
        what="`fallback_team`: a new caller, an agent whom Kustomer does not have, the first in an hour",
        rules=_FALLBACK,
        before=_team_alone,
    ),
    Row(
        what='`missed = ["favourite"]`: a missed call of a caller of the last day',
        rules=f'{_AGENTS}missed = ["favourite"]\n',
        before=_owned_before,
        then=Try.miss,
    ),
    Row(
        what='`missed = ["last_assignee"]`: a missed call of a caller of the last day',
        rules=f'{_AGENTS}missed = ["last_assignee"]\n',
        before=_owned_before,
        then=Try.miss,
    ),
    Row(what="a person assigns a call that is written", before=Try.call, then=_assign),
    Row(what="the next call of an assigned number", before=_assigned_before),
    Row(what="a rule keeps the call out", rules=_KEPT_OUT),
    Row(what="a known caller's missed call", before=Try.customer, then=Try.miss),
    Row(what="a call with talk time that closes one missed call", before=_known_and_missed),
    Row(
        what="`[agents]`: a known caller, the first call in an hour", rules=_AGENTS, before=_known_and_agents
    ),
    Row(what="`[agents]`: the next calls", rules=_AGENTS, before=_known_agents_and_a_call),
    Row(what="`team`: a known caller, the first call in an hour", rules=_TEAM, before=_known_and_team),
    Row(what="a condition that needs the path: a known caller", rules=_PATH, before=Try.customer),
    Row(
        what='`per = "missed_caller"`: the first missed call of a known caller',
        rules=_ITEM,
        before=Try.customer,
        then=Try.miss,
    ),
    Row(
        what='`per = "missed_caller"`: a further missed call',
        rules=_ITEM,
        before=_known_and_missed,
        then=Try.miss,
    ),
    Row(what="`snoozed`: a known caller's missed call", rules=_SNOOZED, before=Try.customer, then=Try.miss),
)
ROWS = (*BASIC, *OPTIONS)


def table(found: list[Measured]) -> str:
    lines = ["| call | Kustomer | CloudTalk |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {one.what} | {one.kustomer} | {one.cloudtalk} |" for one in found)])


def written(text: str, new: str) -> str:
    """The handbook with this table."""
    before, heading, after = text.partition(_HEADING)
    start, end = after.index("| call |"), after.index("\n\n", after.index("| call |"))
    return f"{before}{heading}{after[:start]}{new}{after[end:]}"


def _measured(rows: list[Row]) -> list[Measured]:
    with Reaper() as reaper, RunningSandbox() as sandbox:
        server = EmbeddedRedis(reaper.folder, appendfsync="everysec")
        server.start()
        client = connect(server.url)
        found = [measure(row, client, sandbox, reaper.folder) for row in rows]
        client.close()
        server.stop()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.day.costs")
    parser.add_argument("only", nargs="?", default="", help="only rows whose text has this in it")
    parser.add_argument("--write", action="store_true", help="put the table into deploy/budgets.md")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    found = table(_measured([row for row in ROWS if given.only in row.what]))
    if given.write and not given.only:
        HANDBOOK.write_text(written(HANDBOOK.read_text("utf-8"), found), "utf-8")
    sys.stdout.write(f"{found}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
