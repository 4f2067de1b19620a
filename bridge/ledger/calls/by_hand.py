"""What a person may do with one call: sync it, look again, park it, drop it. The trail names who did."""

from __future__ import annotations

from bridge.domain.phone import Kind, Phone
from bridge.errors import Rejected
from bridge.ledger import trail
from bridge.ledger.calls.record import Record
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import kinds

# What CloudTalk answered when it had none, by the observation's name.
_ANSWERED_NONE = ("recording_gone", "detail_gone")


def sync_again(ledger: Ledger, record: Record, *, who: str) -> None:
    """Compare with Kustomer and write what differs.

    Raises:
        Rejected: the call was forgotten on request.
    """
    _refuse_forgotten(record, "sync")
    _again(ledger, "sync", record.key, who=who)


def assign(ledger: Ledger, record: Record, customer_id: str, *, number: Phone | None, who: str) -> None:
    """Say whose call it is. Its sync writes it for this customer, or moves what is written; from now on
    the calls of the same number are this customer's, whatever the rules say.

    Args:
        customer_id: 24 hex digits in lower case; whether Kustomer has it shows when it is synced.
        number: the customer's; one that is withheld is not remembered.

    Raises:
        Rejected: the call was forgotten on request.
    """
    _refuse_forgotten(record, "assign")
    line = trail.line(ledger, who=who, what="assigned to a customer", call=record.key, more=customer_id)
    of = number.text if number is not None and number.kind is not Kind.WITHHELD else ""
    if not ledger.assign(record.key, customer_id, number=of, who=who, line=line):
        raise Rejected(f"{record.key} is no longer on record.")
    for part in record.own_keys[1:]:
        ledger.replay("sync", part, who=who, if_parked=True)


def look_again(ledger: Ledger, record: Record, *, who: str) -> list[str]:
    """Ask CloudTalk again for what is not known of the call, and for its recording, as if never asked before;
    then compare with Kustomer. Answers the kinds of the jobs.

    Raises:
        Rejected: the call was forgotten on request.
    """
    _refuse_forgotten(record, "look for")
    for part in record.own_keys:
        for name in _ANSWERED_NONE:
            ledger.forget_observation(name, part)
    queued = ["detail" if record.call_id is not None else "identify", "recording", "sync"]
    for kind in queued:
        _again(ledger, kind, record.key, who=who)
    return queued


def park(ledger: Ledger, record: Record, *, who: str, reason: str) -> list[str]:
    """Stop trying: its planned jobs wait for a person. Answers their kinds.

    Raises:
        Rejected: nothing is planned for it, or a worker is at it.
    """
    answers = _give_up_all(ledger, record, who=who, reason=reason)
    done = [kind for kind, answer in answers if answer == "parked"]
    if done:
        return done
    if any(answer == "running" for _, answer in answers):
        raise Rejected("A worker is running its job now; try again in a moment.")
    raise Rejected("Nothing is planned for this call, so there is nothing to park.")


def drop(ledger: Ledger, record: Record, *, who: str, reason: str) -> list[str]:
    """Nothing more is to be done for it: its planned and parked jobs go. Answers their kinds.

    What is learnt of the call later makes new jobs.

    Raises:
        Rejected: it has no jobs, or a worker is at it.
    """
    answers = _give_up_all(ledger, record, who=who, reason=reason)
    done = []
    for key in record.own_keys:
        for kind in kinds.OF_CALLS:
            line = trail.line(ledger, who=who, what=f"dropped: {kind}", call=key, more=reason)
            if ledger.drop(kind, key, who=who, why=reason, line=line):
                done.append(kind)
    if done:
        return list(dict.fromkeys(done))
    if any(answer == "running" for _, answer in answers):
        raise Rejected("A worker is running its job now; try again in a moment.")
    raise Rejected("This call has no jobs, so there is nothing to drop.")


def _give_up_all(ledger: Ledger, record: Record, *, who: str, reason: str) -> list[tuple[str, str]]:
    """What became of each job that the call may have: kind, and what `Ledger.give_up` says."""
    answers = []
    for key in record.own_keys:
        for kind in kinds.OF_CALLS:
            line = trail.line(ledger, who=who, what=f"parked: {kind}", call=key, more=reason)
            answers.append((kind, ledger.give_up(kind, key, why=f"{reason} ({who})", line=line)))
    return answers


def _again(ledger: Ledger, kind: str, key: str, *, who: str) -> None:
    ledger.replay(kind, key, who=who)
    trail.leave(ledger, who=who, what=f"run again: {kind}", call=key)


def _refuse_forgotten(record: Record, what: str) -> None:
    if record.forgotten:
        raise Rejected(f"{record.key} was forgotten on request; nothing is left to {what}.")
