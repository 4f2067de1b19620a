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

from bridge.deps import Deps, JobResult
from bridge.domain.contacts.contact import Contact, read_contact
from bridge.domain.contacts.to_contact import settled_mark
from bridge.errors import Rejected
from bridge.jobs.contact_to_cloudtalk import find_or_create, give, page_of
from bridge.jobs.contact_to_kustomer import carry_over
from bridge.ledger.calls.contacts import contact_id_of, customer_of, left_to_people
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.queue.jobs import Claim

# In front of a sentence, so that each direction replaces only its own.
_TO_KUSTOMER, _TO_CLOUDTALK = "Kustomer: ", "CloudTalk: "


def look_after_contact(claim: Claim, deps: Deps) -> JobResult:
    """One run for one contact."""
    record, rules = deps.ledger.read(claim.key), deps.rules
    if record.forgotten or not record.exists:
        return JobResult()
    contact_id = contact_id_of(claim.key)
    if contact_id is None:
        return find_or_create(claim, deps, record) if rules.contacts_to_cloudtalk else JobResult()
    heard = record.fields.get(Field.HEARD)
    is_news = heard is not None and heard != record.fields.get(Field.CARRIED)
    carries = rules.contacts_to_kustomer and (is_news or record.verify_requested)
    whose = customer_of(record)
    settled = ""
    if rules.contacts_to_cloudtalk and whose is not None:
        settled = settled_mark(rules, customer_id=whose.customer, url=page_of(deps, whose.customer))
    gives = bool(settled) and (record.verify_requested or record.fields.get(Field.SETTLED) != settled)
    if not carries and not gives:
        return JobResult()
    contact = _read(deps, contact_id)
    if contact is None:
        kept: dict[str, object] = {Field.CARRIED: heard, Field.VERIFY: None}
        deps.ledger.keep(claim, {**kept, **({Field.SETTLED: settled} if settled else {})})
        return JobResult(log="no longer in CloudTalk: nothing is changed in Kustomer")
    if (numbers := json.dumps(contact.phones)) != record.fields.get(Field.NUMBERS):
        deps.ledger.keep(claim, {Field.NUMBERS: numbers})
    done: list[str] = []
    if carries:
        carried = carry_over(claim, deps, record, contact, contact_id)
        done.append(f"to Kustomer: {carried.says}")
        left = [*_others(record, _TO_KUSTOMER), *(_TO_KUSTOMER + one for one in carried.left)]
        _keep(claim, deps, record, {Field.CARRIED: heard}, left)
        record = deps.ledger.read(claim.key)
    if gives and whose is not None:
        given = give(claim, deps, record, contact, contact_id, whose)
        done.append(f"to CloudTalk: {given.says}")
        left = [*_others(record, _TO_CLOUDTALK), *(_TO_CLOUDTALK + one for one in given.left)]
        _keep(claim, deps, record, {Field.SETTLED: settled if given.is_settled else None}, left)
    deps.ledger.keep(claim, {Field.VERIFY: None})
    return JobResult(log="; ".join(done))


def _read(deps: Deps, contact_id: int) -> Contact | None:
    try:
        body = deps.cloudtalk.contacts.get(contact_id)
    except Rejected as error:
        if error.status == 404:
            return None
        raise
    return read_contact(body, region=deps.rules.region)


def _others(record: Record, own: str) -> list[str]:
    return [one for one in left_to_people(record) if not one.startswith(own)]


def _keep(
    claim: Claim, deps: Deps, record: Record, fields: Mapping[str, object], left: Sequence[str]
) -> None:
    is_new = list(left) != left_to_people(record)
    kept = dict(fields)
    if is_new:
        kept[Field.LEFT_TO_PEOPLE] = json.dumps(left) if left else None
    deps.ledger.keep(claim, kept, note=f"left to people: {'; '.join(left)}" if is_new and left else "")
