"""What is told of the queue and of one call: by `/api`, the pages and the command line alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal, cast, get_args

from bridge.domain.call import Call
from bridge.domain.rules import Rules
from bridge.domain.webhook.keys import DEFAULT_KEYS, canonical_key
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.calls.comparison import calls_missing
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.keys import LANE_NAMES
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.connections import Connections

State = Literal["waiting", "synced", "behind", "skipped", "parked"]
STATES: tuple[State, ...] = get_args(State)

# As `bridge.ledger.queue.job_states` tells it: kind, state, attempts, cause, error.
Job = Mapping[str, Any]

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


def state_of(*, stored: str | None, ended: bool, jobs: Sequence[Job]) -> State:
    """Where a call stands.

    Args:
        stored: what the last sync said (waiting, synced or skipped), if one ran, or that a person dropped it.
        ended: as far as we were told; before that nothing is to be written, so nothing is behind.
    """
    if any(job["state"] == "parked" for job in jobs):
        return "parked"
    if ended and any(
        job["kind"] == "sync" and (job["state"] in ("running", "due") or job["attempts"] > 0) for job in jobs
    ):
        return "behind"
    if stored == "dropped":
        return "skipped"
    if stored in ("waiting", "synced", "skipped"):
        return cast(State, stored)
    return "behind" if ended else "waiting"


def reason_of(state: State, stored: str | None, jobs: Sequence[Job]) -> str | None:
    """Why it stands there: the error of the job that is in the way, else what the last sync said."""
    if state in ("parked", "behind"):
        for job in jobs:
            if (job["state"] == "parked" or (state == "behind" and job["kind"] == "sync")) and (
                text := job.get("error") or job.get("cause")
            ):
                return f"{job['kind']}: {text}"
    return stored or None


def line_of(record: Record, call: Call, jobs: Sequence[Job]) -> dict[str, Any]:
    """One call as a line of a list: nothing in it tells who called."""
    state = state_of(stored=record.state, ended=call.ended, jobs=jobs)
    conversation = record.outputs.get("conversation")
    return {
        "key": record.key,
        "call_id": call.call_id,
        "uuid": str(call.uuid) if call.uuid else None,
        "state": state,
        "reason": reason_of(state, record.reason, jobs),
        "direction": call.direction.value if call.direction else None,
        "outcome": call.outcome.value,
        "number_tail": (call.external.tail or None) if call.external else None,
        "started_at": _iso(call.started_at),
        "synced_at": _iso(record.synced_at),
        "conversation_id": conversation.id if conversation else None,
    }


# The order in which the outputs of a call are written.
_WRITTEN_AS = {"customer": 0, "conversation": 1, "note": 2, "attachment": 3}


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
    # Of most calls there are none.
    more: dict[str, Any] = {"left_out": dict(record.left_out), "contradictions": list(record.contradictions)}
    return {
        **line_of(record, record.call(rules), jobs),
        **{name: value for name, value in more.items() if value},
        "events": events,
        "observations": observations,
        "outputs": outputs,
        "jobs": jobs,
        "timeline": timeline_of(record),
    }


# What an observation is called in the timeline.
_LEARNED = {
    "detail": "call details received",
    "recording": "recording received",
    "recording_gone": "recording not available",
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
            lines.append((at, str(entry["what"]), str(entry["more"]) if entry.get("more") else None))
    lines.sort(key=lambda line: line[0])
    return [{"at": _iso(at), "what": what, "detail": without_links(more)} for at, what, more in lines]


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
