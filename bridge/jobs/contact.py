"""The job of one contact: carry it over to its customer, and give it what the customer has. Safe to repeat.

Neither direction can set off the other for ever:

- Kustomer is written only after news of the contact, CloudTalk only after a call. A write to Kustomer makes
  no job here; a write to CloudTalk may come back as news of the contact, once.
- Each writes only what differs. A name that the contact has from the customer is never sent to Kustomer, one
  that the customer has from the contact never to CloudTalk; the link is no field that is carried over.
- So news of what the bridge wrote itself ends in a run without a write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.deps import Deps, JobResult
from bridge.domain.contacts.contact import Contact, read_contact
from bridge.domain.contacts.to_contact import settled_mark
from bridge.errors import Rejected
from bridge.jobs.contact_to_cloudtalk import find_or_create, give, page_of
from bridge.jobs.contact_to_kustomer import carry_over
from bridge.ledger.calls.contacts import CustomerOf, contact_id_of, customer_of, left_to_people
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.queue.claims import Claim

# In front of a sentence, so that each direction replaces only its own.
_TO_KUSTOMER, _TO_CLOUDTALK = "Kustomer: ", "CloudTalk: "


def look_after_contact(claim: Claim, deps: Deps) -> JobResult:
    """One run for one contact."""
    record = deps.ledger.read(claim.key)
    if record.forgotten or not record.exists:
        return JobResult()
    contact_id = contact_id_of(claim.key)
    if contact_id is None:
        return find_or_create(claim, deps, record) if deps.rules.contacts_to_cloudtalk else JobResult()
    due = _due(record, deps)
    if not due.carries and due.gives_to is None:
        return JobResult()
    contact = _read(deps, contact_id)
    if contact is None:
        _keep_gone(claim, deps, due)
        return JobResult(log="no longer in CloudTalk: nothing is changed in Kustomer")
    if (numbers := json.dumps(contact.phones)) != record.fields.get(Field.NUMBERS):
        deps.ledger.keep(claim, {Field.NUMBERS: numbers})
    done: list[str] = []
    if due.carries:
        carried = carry_over(claim, deps, record, contact, contact_id)
        done.append(f"to Kustomer: {carried.says}")
        _keep(claim, deps, record, {Field.CARRIED: due.heard}, _TO_KUSTOMER, carried.left)
        record = deps.ledger.read(claim.key)
    if due.gives_to is not None:
        given = give(claim, deps, record, contact, contact_id, due.gives_to)
        done.append(f"to CloudTalk: {given.says}")
        settled = due.settled if given.is_settled else None
        _keep(claim, deps, record, {Field.SETTLED: settled}, _TO_CLOUDTALK, given.left)
    deps.ledger.keep(claim, {Field.VERIFY: None})
    return JobResult(log="; ".join(done))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """What this run is to do.

    Args:
        heard: the last news of the contact, which is carried over by this run.
        carries: to write to Kustomer.
        gives_to: whose contact it is, where CloudTalk is to be written; else None.
        settled: `Field.SETTLED` once the contact lacks nothing; empty: CloudTalk is not to be written, or
            nobody knows whose contact it is.
    """

    heard: str | None
    carries: bool
    gives_to: CustomerOf | None
    settled: str


def _due(record: Record, deps: Deps) -> _Due:
    rules, whose = deps.rules, customer_of(record)
    heard = record.fields.get(Field.HEARD)
    is_news = heard is not None and heard != record.fields.get(Field.CARRIED)
    settled = ""
    if rules.contacts_to_cloudtalk and whose is not None:
        settled = settled_mark(rules, customer_id=whose.customer, url=page_of(deps, whose.customer))
    gives = bool(settled) and (record.verify_requested or record.fields.get(Field.SETTLED) != settled)
    return _Due(
        heard=heard,
        carries=rules.contacts_to_kustomer and (is_news or record.verify_requested),
        gives_to=whose if gives else None,
        settled=settled,
    )


def _read(deps: Deps, contact_id: int) -> Contact | None:
    try:
        body = deps.cloudtalk.contacts.get(contact_id)
    except Rejected as error:
        if error.status == 404:
            return None
        raise
    return read_contact(body, region=deps.rules.region)


def _keep_gone(claim: Claim, deps: Deps, due: _Due) -> None:
    """The contact was deleted: until there is news of it, nothing is left to do."""
    kept: dict[str, object] = {Field.CARRIED: due.heard, Field.VERIFY: None}
    if due.settled:
        kept[Field.SETTLED] = due.settled
    deps.ledger.keep(claim, kept)


def _keep(
    claim: Claim,
    deps: Deps,
    record: Record,
    fields: Mapping[str, object],
    direction: str,
    sentences: Sequence[str],
) -> None:
    """Record the fields, and what one direction leaves to people in place of what it left to them before."""
    before = left_to_people(record)
    others = [one for one in before if not one.startswith(direction)]
    left = [*others, *(direction + one for one in sentences)]
    kept, note = dict(fields), ""
    if left != before:
        kept[Field.LEFT_TO_PEOPLE] = json.dumps(left) if left else None
        note = f"left to people: {'; '.join(left)}" if left else ""
    deps.ledger.keep(claim, kept, note=note)
