"""The job of a text message that Kustomer asked for: sent through CloudTalk at most once.

The intent is on record before anything is sent. A run that finds it, or a reply that is lost, leaves open
whether the message was sent: the job is parked for a person, and never sends it again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bridge.at_most_once import at_most_once
from bridge.deps import Deps, JobResult
from bridge.domain.webhook.outgoing import TRIGGER, Outgoing, Unusable, read_outgoing
from bridge.errors import Disconnected, MaybeDone, NotSent, Permanent, RateLimited, Rejected
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.calls.record_fields import Family, Field, State
from bridge.ledger.messages.records import expect_echo
from bridge.ledger.queue.claims import Claim
from bridge.sync.write_log import WriteLog

# What comes later than this surprises whoever gets it.
_NOT_LATER_THAN = timedelta(hours=1)
_OUTPUT = "sms"
_LOOK = "at the message in CloudTalk"


def send_sms(claim: Claim, deps: Deps) -> JobResult:
    """One run for one message."""
    record = deps.ledger.read(claim.key)
    if not record.exists or record.forgotten or _OUTPUT in record.outputs:
        return JobResult()
    if _OUTPUT in record.intents:
        raise MaybeDone(
            "The message may have been sent: a run that was about to send it did not end. It is not sent "
            f"again; look {_LOOK}. To send it all the same, write it anew in Kustomer, then drop this job"
        )
    if not deps.rules.send_messages:
        raise Rejected("the rules say not to send messages (messages.send is off)", status=0)
    wanted = _wanted(record, deps)
    _check_age(claim, record)
    log = WriteLog(claim=claim, deps=deps)
    expect_echo(deps.ledger, wanted.recipient.text, record.key)
    # Without text and number, which are kept no longer than the webhook.
    log.begin(_OUTPUT, {})
    body = {"recipient": wanted.recipient.text, "sender": wanted.sender.text, "message": wanted.text}
    try:
        with at_most_once("send_sms", _LOOK):
            log.while_ours(lambda: deps.cloudtalk.messages.send_sms(body))
    except MaybeDone:
        raise
    except (Permanent, RateLimited, NotSent, Disconnected):
        # Surely not sent.
        deps.ledger.keep(claim, {Family.INTENT.field(_OUTPUT): None})
        raise
    # CloudTalk tells no id.
    log.keep(_OUTPUT, "sent", {}, done="created", created=True)
    return JobResult(fields={Field.STATE: State.SYNCED, Field.SYNCED_AT: "now", Field.REASON: None})


def _wanted(record: Record, deps: Deps) -> Outgoing:
    body = next((event.body for event in record.events if event.trigger == TRIGGER), None)
    try:
        if body is None:
            raise Unusable("what was asked for is no longer kept")
        return read_outgoing(body, deps.rules, sender=deps.rules.messages_from)
    except Unusable as error:
        raise Rejected(f"not sent: {error}", status=0) from error


def _check_age(claim: Claim, record: Record) -> None:
    now = moment(claim.now_ms) or datetime.now(UTC)
    if record.heard_at is not None and now - record.heard_at > _NOT_LATER_THAN:
        raise Rejected("not sent: it was asked for more than an hour ago", status=0)
