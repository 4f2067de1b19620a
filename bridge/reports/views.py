"""The views of the queue and of one call, for `/api`, the pages and the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from bridge.domain.outputs import OUTPUTS
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.keys import DEFAULT_KEYS, canonical_key
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.calls.comparison import calls_missing
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.calls.summary import CallEntry
from bridge.ledger.keys import LANE_NAMES
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.connections import Connections
from bridge.reports.call_path import path_view
from bridge.reports.call_row import line_of, row_of
from bridge.reports.rules_explained import explained

HIDDEN = "(hidden)"
_RECORDING_LINK = re.compile(r"https?:\\*/\S*?/pub\\*/r\\*/[^\s\"'<>]*", re.IGNORECASE)
_LINK = re.compile(r"https?://", re.IGNORECASE)


def queue_view(ledger: Ledger, budgets: Iterable[Budget], connections: Connections) -> dict[str, Any]:
    lanes = {LANE_NAMES[lane]: asdict(state) for lane, state in ledger.queue().items()}
    sums = {
        name: sum(lane[name] for lane in lanes.values()) for name in ("due", "overdue", "waiting", "running")
    }
    return {
        **sums,
        "parked": ledger.parked_count(),
        "held": ledger.held_count(),
        "oldest_due_s": max(lane["oldest_due_s"] for lane in lanes.values()),
        "lanes": lanes,
        "budgets": {budget.service: budget.state() for budget in budgets},
        "connections": connections.state(),
        "slow": connections.slow(),
        "calls_missing": calls_missing(ledger),
    }


# The order in which the outputs of a call are written.
_WRITTEN_AS = {name: place for place, name in enumerate(OUTPUTS)}


def call_view(ledger: Ledger, rules: Rules, record: Record) -> dict[str, Any]:
    """Everything kept about one call, recording links left out: whoever has one can listen."""
    jobs = ledger.job_states(*record.own_keys)
    observations = {
        name: {"asked_at": _iso(seen.asked_at), "at": _iso(seen.at), "body": without_links(seen.body)}
        for name, seen in record.observations.items()
    }
    outputs = {
        name: {"id": output.id, "sent": without_links(output.sent), "created": output.created}
        for name, output in sorted(record.outputs.items(), key=lambda item: _WRITTEN_AS.get(item[0], 9))
    }
    events = [
        {
            "trigger": event.trigger,
            "received_at": _iso(event.at),
            "times": event.times,
            "fingerprint": event.fingerprint,
            "body": without_links(event.body),
            **({"signed": True} if event.signed else {}),
        }
        for event in record.events
    ]
    call = record.call(rules)
    judged = explained(call, record.caller, rules)
    # Of most calls there are none.
    more: dict[str, Any] = {
        "left_out": dict(record.left_out),
        "contradictions": list(record.contradictions),
        "caller": record.caller,
        "customer_why": record.customer_why,
        "candidates": record.candidates,
        "assigned": record.assigned,
        "owner": _owner(record),
        "explained": judged if any(judged.values()) else None,
        **path_view(call),
    }
    return {
        **line_of(row_of(CallEntry.of(record, call), jobs)),
        **{name: value for name, value in more.items() if value},
        "rules": record.rules_version,
        "events": events,
        "observations": observations,
        "outputs": outputs,
        "jobs": jobs,
        "timeline": timeline_of(record),
    }


def _owner(record: Record) -> dict[str, Any] | None:
    owner = record.owner
    if owner is None:
        return None
    return {"says": owner.says, "users": list(owner.users), "teams": list(owner.teams)}


# What an observation is called in the timeline.
_LEARNED = {
    "detail": "call details received",
    "recording": "recording received",
    "recording_gone": "recording not available",
    "insights": "AI insights received",
    "insights_gone": "AI insights not available",
    "listed": "found in CloudTalk's list",
}


def timeline_of(record: Record) -> list[dict[str, Any]]:
    """What happened to a call, oldest first: what came, what was asked, what was done."""
    lines: list[tuple[datetime, str, str | None]] = []
    for event in record.events:
        lines.append((event.at, f"event {event.trigger}", None))
        if event.times > 1:
            lines.append((event.last_at, f"event {event.trigger} again", f"received {event.times} times"))
    for trigger, number in record.left_out.items():
        newest = max((event.last_at for event in record.events if event.trigger == trigger), default=None)
        if newest is not None:
            lines.append(
                (newest, f"event {trigger}: {number} more", "only the first few and the newest are stored")
            )
    lines += [
        (seen.at, _LEARNED.get(seen.name, f"received {seen.name}"), None)
        for seen in record.observations.values()
    ]
    for entry in record.log:
        at = moment(entry["at"])
        if at is not None:
            lines.append(
                (at, _in_words(str(entry["what"])), str(entry["more"]) if entry.get("more") else None)
            )
    lines.sort(key=lambda line: line[0])
    return [{"at": _iso(at), "what": what, "detail": without_links(more)} for at, what, more in lines]


# Outputs whose name on the record says too little: `voice created`.
_WORDS = {name: OUTPUTS[name].title.lower() for name in ("later", "voice", "klass")}


def _in_words(what: str) -> str:
    name, blank, done = what.partition(" ")
    return f"{_WORDS.get(name, name)}{blank}{done}"


def without_links(value: Any, *, is_link: bool = False) -> Any:
    """The same JSON value with every recording link hidden, under whatever key it came."""
    if isinstance(value, str):
        return HIDDEN if is_link and _LINK.match(value.strip()) else _RECORDING_LINK.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {
            without_links(name): without_links(
                item, is_link=is_link or canonical_key(name, DEFAULT_KEYS) == "recording_url"
            )
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_links(item, is_link=is_link) for item in value]
    return value


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
