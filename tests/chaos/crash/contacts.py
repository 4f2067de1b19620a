"""Journeys of contacts: carried over to Kustomer, given what their customer has, created, and forgotten."""

from __future__ import annotations

from bridge.domain.phone import Kind, Phone
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.contacts import with_contact
from bridge.domain.webhook.events import Held, read_event
from bridge.jobs.erasure import Erasure
from bridge.sandbox.running import RunningSandbox
from tests.chaos.crash.hand import Hand
from tests.chaos.crash.one_call import CALL_ID, ENDED, NUMBER, UUID

CONTACT = 1400000104
_UNKNOWN = "+15550100207"
RULES = Rules(
    contacts_to_kustomer=True, contacts_to_cloudtalk=True, contact_create=True, contact_tag="Kustomer"
)


def nameless(sandbox: RunningSandbox) -> None:
    """A contact that CloudTalk knows by its number only."""
    sandbox.cloudtalk.add_contact(id=CONTACT, name=NUMBER, ContactNumber=[{"public_number": NUMBER}])


def named(sandbox: RunningSandbox) -> None:
    emails = [{"email": "ada@example.com"}]
    numbers = [{"public_number": NUMBER}]
    sandbox.cloudtalk.add_contact(id=CONTACT, name="Ada Example", ContactNumber=numbers, ContactEmail=emails)


def _news(hand: Hand) -> None:
    body = {"event": "contact_updated", "contact_id": str(CONTACT)}
    held = read_event(None, body, RULES)
    assert isinstance(held, Held)
    hand.ledger.hold(with_contact(held, body, RULES), body)
    hand.run_all()


def both_ways(hand: Hand) -> None:
    """Its e-mail is new to the customer of its call; then a caller comes whom CloudTalk does not know."""
    hand.tell("call-ended", {**ENDED, "contact_id": str(CONTACT), "contact_name": ""})
    hand.run_all()
    with hand.watch.aside():
        emails = [{"email": "ada@example.com"}]
        hand.deps.cloudtalk.contacts.update(CONTACT, {"ContactEmail": emails})
    _news(hand)
    unknown = {"contact_id": "", "contact_name": "", "external_number": _UNKNOWN}
    ids = {"call_id": str(CALL_ID + 1), "call_uuid": f"{UUID[:-1]}1"}
    hand.tell("call-ended", {**ENDED, **ids, **unknown})
    hand.run_all()


def carried_over(hand: Hand) -> None:
    """Nobody called yet: the contact makes its customer."""
    _news(hand)


def forgotten(hand: Hand) -> None:
    """All of the number, which is on the record of a contact only."""
    _news(hand)
    Erasure(
        ledger=hand.ledger,
        storage=hand.deps.open_storage(),
        rules=hand.deps.rules,
        journal=hand.settings.data_dir / "journal",
        who="test",
    ).of_number(Phone(Kind.E164, NUMBER))
    hand.run_all()
