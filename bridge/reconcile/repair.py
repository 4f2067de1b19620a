"""Mend what an audit found, where that is safe: nothing is deleted, and every write is looked for first."""

from __future__ import annotations

from bridge.ledger import trail
from bridge.ledger.calls.call_status import CallState
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.reconcile.audit import Audit, Expected, Findings
from bridge.reconcile.compare import learn

_HOW = "audit --repair"


def repair_findings(ledger: Ledger, audit: Audit, findings: Findings, *, who: str) -> list[str]:
    """Queue what makes it good; says what, one line for each call.

    Twins and strangers are left to people, and so is what a person dropped.

    Args:
        who: the person, for the trail and the calls' logs.
    """
    done = []
    for again, items in ((_again, findings.missing), (_fetch_again, findings.recordings_missing)):
        done += [again(ledger, audit.expected[item["call_id"]], who) for item in items]
    done += [f"call {one.call_id}: left alone ({one.reason})" for one in audit.dropped]
    return done


def _again(ledger: Ledger, one: Expected, who: str) -> str:
    if one.standing.stands is CallState.UNKNOWN and one.standing.uuid is None:
        _learn(ledger, one, who)
        return f"call {one.call.call_id}: found in CloudTalk's list, will be written"
    outcome = "synced again"
    if one.standing.stands is CallState.WAITING and one.call.ended_at is not None:
        # Perhaps for nothing but its end.
        _learn(ledger, one, who)
        outcome = "its end found in CloudTalk's list, synced again"
    _replay(ledger, "sync", one, who)
    return f"call {one.call.call_id}: {outcome}"


def _fetch_again(ledger: Ledger, one: Expected, who: str) -> str:
    """The list says that there is a recording, which counts as its announcement."""
    if one.standing.stands is not CallState.UNKNOWN:
        for part in {f"id:{one.call.call_id}", one.standing.key}:
            ledger.forget_observation("recording_gone", part)
    _learn(ledger, one, who)
    if one.standing.stands is not CallState.UNKNOWN:
        _replay(ledger, "recording", one, who)
    return f"call {one.call.call_id}: its recording is requested again"


# The trail's line comes first: cut short, it says more than was done, and never less.


def _learn(ledger: Ledger, one: Expected, who: str) -> None:
    trail.leave(ledger, who=who, what="found in CloudTalk's list", call=one.standing.key, more=_HOW)
    list(learn(ledger, [one.call]))


def _replay(ledger: Ledger, kind: str, one: Expected, who: str) -> None:
    trail.leave(ledger, who=who, what=f"run again: {kind}", call=one.standing.key, more=_HOW)
    ledger.replay(kind, one.standing.key, who=f"{who}, {_HOW}", lane=Lane.BACKFILL)
