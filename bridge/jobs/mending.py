"""Mend what an audit found, where that is safe: nothing is deleted, and every write is looked for first."""

from __future__ import annotations

from bridge.boundary import boundary
from bridge.jobs.audit import Audit, Expected, Findings
from bridge.jobs.reconcile import learn
from bridge.ledger import keys
from bridge.ledger.census import Stands
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger

_WHO = "audit --repair"


def mend(ledger: Ledger, audit: Audit, findings: Findings) -> list[str]:
    """Queue what makes it good; says what, one line for each call. Twins and strangers are left to people."""
    done = []
    for item in findings.missing:
        one = audit.expected[item["call_id"]]
        if one.standing.stands is Stands.UNKNOWN and one.standing.uuid is None:
            list(learn(ledger, [one.call]))
            done.append(f"call {one.call.call_id}: learnt from CloudTalk's list, will be written")
        else:
            ledger.replay("sync", one.standing.key, who=_WHO, lane=Lane.BACKFILL)
            done.append(f"call {one.call.call_id}: synced again")
    for item in findings.recordings_missing:
        one = audit.expected[item["call_id"]]
        _fetch_again(ledger, one)
        done.append(f"call {one.call.call_id}: its recording is asked for again")
    return done


def _fetch_again(ledger: Ledger, one: Expected) -> None:
    """The list says that there is a recording, which counts as its announcement."""
    if one.standing.stands is Stands.UNKNOWN:
        list(learn(ledger, [one.call]))
        return
    record = ledger.read(one.standing.key)
    for part in {f"id:{one.call.call_id}", record.key}:
        with boundary("mending.forget_gone"):
            ledger.redis.hdel(keys.events(part), "obs:recording_gone")
    list(learn(ledger, [one.call]))
    ledger.replay("recording", record.key, who=_WHO, lane=Lane.BACKFILL)
