"""Entries of the lists that wait for a person or tell of the past: for `/api` and for pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridge.domain.rules.model import Rules
from bridge.ledger import refusals, trail
from bridge.ledger.calls.held import HeldEvent, held_page
from bridge.ledger.calls.reading import read_all
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.parked import Parked, ids_of, parked_page
from bridge.ledger.refusals import Refusal
from bridge.reports.masking import scrubbed

Entry = dict[str, Any]
# Entries, and the cursor of the next ones.
Entries = tuple[list[Entry], str | None]


def parked_entries(
    ledger: Ledger,
    rules: Rules,
    wanted: dict[str, str],
    *,
    cursor: str = "",
    limit: int = 50,
    masked: bool = False,
) -> Entries:
    """Parked jobs that fit all of `wanted` (`bridge.ledger.queue.parked.FILTERS`).

    Args:
        masked: without names in the errors. A service's error may quote a number; none is listed in full.
    Raises:
        WrongUse: the cursor is none of ours.
    """
    page = parked_page(ledger, wanted, cursor=cursor, limit=limit)
    errors = (
        masked_errors(ledger, rules, page.items)
        if masked
        else [job.error and scrubbed(job.error) for job in page.items]
    )
    entries = [
        {
            "key": job.key,
            "call_id": call_id,
            "uuid": uuid,
            "kind": job.kind,
            "cause": job.cause,
            "error": error,
            "parked_at": job.since,
        }
        for job, (call_id, uuid), error in zip(page.items, ids_of(ledger, page.items), errors, strict=True)
    ]
    return entries, page.next


def masked_errors(ledger: Ledger, rules: Rules, jobs: Sequence[Parked]) -> list[str | None]:
    """Why the jobs failed, without the numbers and names of their calls."""
    texts_shown = _without_people(ledger, rules, [job.key for job in jobs], [job.error or "" for job in jobs])
    return [text or None for text in texts_shown]


def held_entries(
    ledger: Ledger,
    rules: Rules,
    *,
    trigger: str = "",
    other: bool = False,
    cursor: str = "",
    limit: int = 50,
) -> Entries:
    """Held events; no more than the tail of a number.

    Args:
        other: messages and contact changes instead, which belong to no call.
    Raises:
        WrongUse: the cursor is none of ours.
    """
    page = held_page(ledger, trigger=trigger, other=other, cursor=cursor, limit=limit)
    return [held_entry(event, rules) for event in page.items], page.next


def held_entry(event: HeldEvent, rules: Rules) -> Entry:
    phone = event.number(rules)
    return {
        "fingerprint": event.fingerprint,
        "trigger": event.trigger,
        "reason": event.reason,
        "number_tail": (phone.tail or None) if phone else None,
        "received_at": event.at.isoformat(),
    }


def refused_entries(ledger: Ledger) -> list[Entry]:
    """One for each trigger and cause, the latest first; there are no more than known names of both."""
    return [_refused_entry(one) for one in refusals.refusals(ledger)]


def _refused_entry(one: Refusal) -> Entry:
    return {
        "cause": one.cause,
        "trigger": one.trigger,
        "status": one.status,
        "count": one.count,
        "last_at": one.last_at.isoformat() if one.last_at else None,
    }


def refused_hours(ledger: Ledger, *, hours: int = 24) -> list[Entry]:
    """How many were refused in each of the last hours, by cause and trigger; the latest hour first."""
    return [
        {"hour": one.hour.isoformat(), "cause": one.cause, "trigger": one.trigger, "count": one.count}
        for one in refusals.refused_by_hour(ledger, hours=hours)
    ]


def trail_entries(ledger: Ledger, rules: Rules, *, masked: bool = False, **filters: Any) -> Entries:
    """Lines of the trail; `filters` are those of `bridge.ledger.trail.trail_page`.

    Args:
        masked: without the numbers and names of the calls in what people wrote.
    Raises:
        WrongUse: the cursor is none of ours.
    """
    page = trail.trail_page(ledger, **filters)
    lines = [_trail_entry(line) for line in page.items]
    if masked:
        keys = [line["call"] for line in lines]
        texts_shown = _without_people(ledger, rules, keys, [line["what"] for line in lines])
        lines = [{**line, "what": what} for line, what in zip(lines, texts_shown, strict=True)]
    return lines, page.next


def _trail_entry(line: dict[str, Any]) -> Entry:
    what = f"{line['what']}: {line['more']}" if line["more"] else line["what"]
    return {"at": line["at"], "who": line["who"], "what": what, "call": line["call"] or None}


def _without_people(
    ledger: Ledger, rules: Rules, keys: Sequence[str | None], texts: Sequence[str]
) -> list[str]:
    """Each text without the numbers and names of its call, if it is about one."""
    named = list({key for key in keys if key})
    calls = {key: record.call(rules) for key, record in zip(named, read_all(ledger, named), strict=True)}
    texts_shown = []
    for key, text in zip(keys, texts, strict=True):
        call = calls.get(key or "")
        names = [call.contact_name, call.agent_name] if call else []
        numbers = [call.external.text] if call and call.external else []
        texts_shown.append(scrubbed(text, names=names, numbers=numbers))
    return texts_shown
