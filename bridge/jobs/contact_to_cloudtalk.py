"""A contact of CloudTalk gets what its customer in Kustomer has: a name if it has none, a link, a tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bridge.deps import Deps, JobResult
from bridge.domain.choosing import has_number
from bridge.domain.contacts.contact import Contact, read_contact
from bridge.domain.contacts.to_contact import giving, new_contact, settled_mark
from bridge.domain.webhook.values import read_call_id, read_person
from bridge.errors import LeaseLost, Rejected, Unavailable
from bridge.ledger.calls.contacts import CustomerOf, contact_key, customer_of, tell_contact
from bridge.ledger.calls.record import Record, Written
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.queue.claims import Claim
from bridge.sync.write_log import Done, WriteLog

_CONTACT = "contact"
# A list shows one number of a contact: so many of those that it finds by another are read whole.
_MOST_READ = 3
_PAGE = "50"
# After a lost reply: CloudTalk's list may be late with a new contact.
_LOOK_AGAIN_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """
    Args:
        says: what was done, for whoever reads what happened to the contact.
        left: sentences about what a person decides.
        is_settled: nothing will be left to do for this customer.
    """

    says: str
    left: tuple[str, ...] = ()
    is_settled: bool = True


def give(
    claim: Claim, deps: Deps, record: Record, contact: Contact, contact_id: int, whose: CustomerOf
) -> Given:
    """Write what the contact, just read, lacks. Saying it again changes nothing there."""
    log = WriteLog(claim=claim, deps=deps)
    written = record.outputs.get(_CONTACT) or Written(id=str(contact_id), sent={})
    begun = record.changes.get(_CONTACT, {})
    sent = _carried_out(written.sent, begun, contact)
    customer = record.outputs.get("customer")
    is_nameless = contact.is_nameless(deps.rules.region)
    wanted = giving(
        contact,
        deps.rules,
        sent,
        customer_name=_name_of(deps, whose) if is_nameless else None,
        sent_name=None if customer is None else customer.sent.get("name"),
        url=page_of(deps, whose.customer),
    )
    if wanted.changes or wanted.tag:
        known = Written(id=written.id, sent=sent, created=written.created)
        send = partial(_send, deps, contact_id, wanted.changes, wanted.tag)
        log.update(_CONTACT, known, wanted.given, send)
    if wanted.given != written.sent or begun:
        done: Done = "updated" if wanted.changes or wanted.tag else "found"
        log.keep(_CONTACT, written.id, wanted.given, done=done, created=written.created)
    says = ", ".join([*(_WORDS_OF[name] for name in wanted.changes), *(["tag"] if wanted.tag else [])])
    # Where Kustomer's pages are not known, `doctor` says that, once for all contacts.
    return Given(says=says or "nothing new", left=wanted.left, is_settled=wanted.is_settled)


_WORDS_OF = {"name": "name", "ExternalUrl": "link"}


def page_of(deps: Deps, customer_id: str) -> str:
    """The customer's page in Kustomer; empty where it is not known, or not wanted."""
    return deps.app_links.customer(customer_id) or "" if deps.rules.contact_link else ""


def find_or_create(claim: Claim, deps: Deps, record: Record) -> JobResult:
    """For a caller whose contact no call names: find it by the number, else create it where the rules say so.

    A contact whose create lost its reply is looked for twice, a minute apart, before it is created again:
    CloudTalk may or may not merge two contacts of one number.
    """
    whose, known = customer_of(record), record.outputs.get(_CONTACT)
    if whose is None:
        return JobResult()
    if known is not None:
        return _told(claim, deps, int(known.id), whose, known.sent)
    if not whose.phone:
        return JobResult(log="the number of its call is not known")
    contact_id = _find(deps, whose.phone)
    begun = record.intents.get(_CONTACT)
    log = WriteLog(claim=claim, deps=deps)
    if contact_id is not None:
        log.keep(_CONTACT, str(contact_id), begun or {}, done="found", created=begun is not None)
        return _told(claim, deps, contact_id, whose, begun or {})
    if not deps.rules.contact_create:
        return JobResult(log="CloudTalk has no contact with this number")
    if begun is not None and Field.LOOKED_AT not in record.fields:
        deps.ledger.keep(claim, {Field.LOOKED_AT: str(claim.now_ms)})
        return JobResult(again_in_ms=_LOOK_AGAIN_MS, log="looking once more for a contact that may be there")
    name = read_person(_name_of(deps, whose)) or ""
    url, tag = page_of(deps, whose.customer), deps.rules.contact_tag
    sent = {key: value for key, value in (("name", name), ("url", url), ("tag", tag)) if value}
    body = new_contact(phone=whose.phone, name=name[:150], url=url, tag=tag)
    made = log.create(_CONTACT, sent, partial(_create, deps, body))
    return _told(claim, deps, int(made), whose, sent)


def _told(claim: Claim, deps: Deps, contact_id: int, whose: CustomerOf, sent: Mapping[str, Any]) -> JobResult:
    """The rest is the job of the contact itself."""
    key = contact_key(contact_id=contact_id, customer_id=whose.customer)
    first = {_CONTACT: {"id": str(contact_id), "sent": dict(sent), "created": bool(sent)}} if sent else None
    settled = settled_mark(deps.rules, customer_id=whose.customer, url=page_of(deps, whose.customer))
    # Just created with all of it, so that nobody need look.
    is_whole = bool(sent.get("name")) and (bool(sent.get("url")) or not deps.rules.contact_link)
    told = tell_contact(deps.ledger, claim, key, whose, first=first, settled=settled, lacks_nothing=is_whole)
    if not told:
        raise LeaseLost(f"{claim.name}: the lease ran out, another worker may hold it")
    deps.ledger.keep(claim, {Field.SETTLED: settled})
    return JobResult(log=f"it is {key}")


def _find(deps: Deps, phone: str) -> int | None:
    """By the digits, as a list finds them; the digits of the contact decide."""
    digits = phone.removeprefix("+")
    page = deps.cloudtalk.contacts.page({"keyword": digits, "limit": _PAGE})
    read = 0
    for item in page.items:
        own = item.get("Contact")
        contact_id = read_call_id(own.get("id")) if isinstance(own, Mapping) else None
        if contact_id is None:
            continue
        contact = read_contact(item, region=deps.rules.region)
        if not has_number(contact.phones, phone, region=deps.rules.region):
            if read >= _MOST_READ:
                continue
            read += 1
            contact = _whole(deps, contact_id)
        if has_number(contact.phones, phone, region=deps.rules.region):
            return contact_id
    return None


def _whole(deps: Deps, contact_id: int) -> Contact:
    try:
        return read_contact(deps.cloudtalk.contacts.get(contact_id), region=deps.rules.region)
    except Rejected as error:
        if error.status == 404:
            return Contact()
        raise


def _create(deps: Deps, body: Mapping[str, Any]) -> str:
    made = read_call_id(deps.cloudtalk.contacts.create(body).get("id"))
    if made is None:
        raise Unavailable("cloudtalk answered create_contact without an id")
    return str(made)


def _send(deps: Deps, contact_id: int, changes: Mapping[str, Any], tag: str) -> None:
    if changes:
        deps.cloudtalk.contacts.update(contact_id, changes)
    if tag:
        deps.cloudtalk.contacts.add_tags(contact_id, {"tags": [tag]})


def _name_of(deps: Deps, whose: CustomerOf) -> str | None:
    there = deps.kustomer.customers.get(whose.customer)
    return None if there is None else there.name


def _carried_out(sent: Mapping[str, Any], begun: Mapping[str, Any], contact: Contact) -> dict[str, Any]:
    """What the contact has from the bridge, with a change whose reply was lost, as far as it shows it."""
    urls = {one.url for one in contact.links or ()}
    kept = dict(sent)
    if begun.get("name") and begun["name"] == contact.raw_name:
        kept["name"] = begun["name"]
    if begun.get("url") in urls:
        kept["url"] = begun["url"]
    if begun.get("tag") in contact.tags:
        kept["tag"] = begun["tag"]
    return kept
