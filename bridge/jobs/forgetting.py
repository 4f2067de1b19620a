"""Forget a call on request: its audio, its events, what names a person in its record."""

from __future__ import annotations

from bridge.clients.cloudtalk import CloudTalk
from bridge.domain.rules import Rules
from bridge.ledger.ledger import Ledger
from bridge.ledger.record import Record
from bridge.storage import Storage


def forget(
    record: Record,
    *,
    ledger: Ledger,
    storage: Storage,
    rules: Rules,
    cloudtalk: CloudTalk | None = None,
) -> list[str]:
    """Remove everything about one call here; a tombstone keeps a late event from bringing it back.

    The record goes last: should this be cut short, it still says what is left to remove. What Kustomer
    holds stays: it is the team's own record, and Kustomer has its own way to erase.

    Args:
        cloudtalk: given, its recording is deleted there too.

    Returns:
        What was done, in words.
    """
    done: list[str] = []
    stored = record.observations.get("recording")
    for name in ("original", "speech"):
        file = stored.body.get(name) if stored else None
        if file and storage.delete(file["name"]):
            done.append(f"deleted {file['name']} from the storage")
    call = record.call(rules)
    if cloudtalk is not None and call.call_id is not None:
        there = cloudtalk.delete_recording(call.call_id)
        done.append("deleted the recording at CloudTalk" if there else "CloudTalk has no recording of it")
    if call.external is not None:
        ledger.memory.remember_customer(call.external.text, None)
    ledger.forget(record)
    done.append(f"removed {len(record.events)} events and the record; remembered that it was forgotten")
    return done
