"""What some values of choices mean, as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Choice -> value -> sentence.
_SAYS: Mapping[str, Mapping[Any, str]] = {
    "customer.search": {
        None: "Shared phones and other spellings are searched only where match or several is stated.",
        True: "Shared phones and other spellings of a number are searched.",
        False: "Shared phones and other spellings of a number are not searched.",
    },
    "customer.several": {
        "newest": "Of several customers with the number, the newest gets the call.",
        "most_recent_conversation": "Of several customers, the one who wrote or called last gets the call.",
        "none": "A call for which several customers fit is parked until a person chooses.",
        "house": "A call for which several customers fit goes to the house customer.",
    },
    "customer.unknown": {
        "create": "A caller whom Kustomer does not know becomes a customer.",
        "house": "Calls of people whom Kustomer does not know go to the house customer.",
        "skip": "Calls of people whom Kustomer does not know are not written.",
    },
    "conversation.per": {
        "call": "Each call gets a conversation of its own.",
        "customer": "Calls of one customer go into one conversation.",
        "missed_caller": "Repeated missed calls of one caller go into one conversation.",
    },
    "conversation.close_missed_on_contact": {
        True: "A missed call is closed once that caller was spoken to.",
        False: "A missed call stays open until a person closes it.",
    },
    "fields.as": {
        "none": "No values for reports are written.",
        "conversation": "A call's values for reports are custom attributes of its conversation.",
        "klass": "A call's values for reports are a custom object of the customer.",
    },
    "cue_card.show": {
        True: "While a call rings, agents see in CloudTalk who calls, according to Kustomer.",
        False: "Agents see no cue card.",
    },
    "cue_card.unknown": {
        True: "A caller whom Kustomer does not know gets a card that says so.",
        False: "A caller whom Kustomer does not know gets no card.",
    },
    "messages.send": {
        True: "Text messages that a Kustomer workflow asks for are sent through CloudTalk.",
        False: "No text messages are sent.",
    },
    "messages.write": {
        True: "Text messages are written to Kustomer, in one conversation a number.",
        False: "Text messages are kept and explained, not written.",
    },
    "contacts.to_kustomer": {
        True: "Contacts that are created or changed in CloudTalk are carried over to Kustomer.",
        False: "Changes of contacts in CloudTalk are stored and shown, not carried over to Kustomer.",
    },
    "contacts.to_cloudtalk": {
        True: "After a call, the caller's contact in CloudTalk gets a name if it has none, and a link.",
        False: "Contacts in CloudTalk are not changed.",
    },
    "contacts.link": {
        True: "Contacts get a link to the customer in Kustomer, if to_cloudtalk is on.",
        False: "Contacts get no link to the customer in Kustomer.",
    },
    "contacts.create": {
        True: "A caller whom CloudTalk does not know becomes a contact there, if to_cloudtalk is on.",
        False: "No contacts are created in CloudTalk.",
    },
    "write.write": {
        True: "Calls are written as soon as they have ended.",
        False: "No call is written, except where a rule says otherwise.",
        "complete": "A call that may have a recording waits for it, at most 30 s, and is written once.",
    },
    "write.as": {
        "note": "A call is an internal note, which Kustomer counts nowhere.",
        "voice_message": "A call is a message of channel voice, which Kustomer counts as a contact.",
        "both": "A call is an internal note, and a message of channel voice, which Kustomer counts.",
    },
    "write.auto": {
        True: "Voice messages are marked as automatic: Kustomer leaves them out of its reporting.",
        False: "Voice messages count in Kustomer's reporting.",
    },
    "write.path": {
        True: "The note says how the call went: menus, queues, who rang, transfers.",
        False: "The note does not say how the call went through menus and queues.",
    },
}


def sentence(choice: str, value: Any, says: str) -> str:
    """Args: says: what the choice decides, for values without a sentence."""
    known = _SAYS.get(choice, {})
    if (value is None or isinstance(value, str | bool)) and value in known:
        return known[value]
    return f"{says[:1].upper()}{says[1:]}."
