"""The records of contacts: `contact:ID`; `contact:of:CUSTOMER` where the contact of a caller is not known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.reading import read_all
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.calls.record_fields import Family, Field
from bridge.ledger.keys import QUEUE_KEYS, Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim

PREFIX = "contact:"
_UNKNOWN = f"{PREFIX}of:"
# The contact is written once the call's own work is done.
_SOON_MS = 2_000
_AT_ONCE = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerOf:
    """Whose contact it is, as the last call says.

    Args:
        phone: the number of that call, in E.164; empty where it was withheld.
    """

    customer: str
    phone: str = ""


def contact_key(*, contact_id: int | None, customer_id: str) -> str:
    return f"{_UNKNOWN}{customer_id}" if contact_id is None else f"{PREFIX}{contact_id}"


def contact_id_of(key: str) -> int | None:
    """The number of the contact; None where CloudTalk has none yet, or nobody has looked."""
    number = key.removeprefix(PREFIX)
    return int(number) if number.isdecimal() else None


def customer_of(record: Record) -> CustomerOf | None:
    text = record.fields.get(Field.CUSTOMER_OF)
    return CustomerOf(**json.loads(text)) if text else None


def left_to_people(record: Record) -> list[str]:
    """Sentences about what a person decides; none names anybody."""
    return cast(list[str], json.loads(record.fields.get(Field.LEFT_TO_PEOPLE) or "[]"))


def is_told_elsewhere(record: Record) -> bool:
    """A record by the customer, of which the contact was found or created: that has a record of its own."""
    return record.key.startswith(_UNKNOWN) and "contact" in record.outputs and not left_to_people(record)


def contact_story(record: Record) -> dict[str, Any]:
    """What became of a contact, as JSON has it; it names nobody."""
    whose, written = customer_of(record), record.outputs.get("customer")
    found = record.outputs.get("contact")
    at = moment(record.fields.get(Field.LAST_AT))
    return {
        "key": record.key,
        "contact_id": contact_id_of(record.key) or (int(found.id) if found is not None else None),
        "customer_id": written.id if written is not None else whose.customer if whose is not None else None,
        "last_at": at.isoformat() if at else None,
        "left": left_to_people(record),
        "log": [
            {
                "at": when.isoformat() if (when := moment(line["at"])) else None,
                "what": line["what"],
                "more": line.get("more"),
            }
            for line in record.log
        ],
    }


def tell_contact(
    ledger: Ledger,
    claim: Claim,
    key: str,
    whose: CustomerOf,
    *,
    first: Mapping[str, Mapping[str, Any]] | None = None,
    settled: str = "",
    lacks_nothing: bool = False,
) -> bool:
    """Have the contact's record say whose it is, and its job look at it; whether `claim` still holds.

    Args:
        first: outputs that are recorded unless the record has them.
        settled: `Field.SETTLED` of a contact that lacks nothing; empty: nothing is to be written to any.
        lacks_nothing: this one is such a contact, unless more is known of it.
    """
    pairs: list[str] = [Field.CUSTOMER_OF, json.dumps({"customer": whose.customer, "phone": whose.phone})]
    for name, value in (first or {}).items():
        pairs += [Family.OUTPUT.field(name), json.dumps(value)]
    if lacks_nothing:
        pairs += [Field.SETTLED, settled]
    pairs = ledger.texts.fields(key, pairs)
    names = [
        *QUEUE_KEYS, keys.record(key), keys.log(key), keys.CONTACTS, keys.META, keys.FORGOTTEN,
    ]  # fmt: skip
    wish = (key, ledger.keep_for.outputs_s, settled, keys.job("contact", key), int(Lane.INSIGHTS), _SOON_MS)
    return bool(ledger.run_for_job("tell_contact", names, claim, *wish, *pairs))


@boundary("contacts.keys")
def contact_keys(ledger: Ledger, *, most: int = 0) -> list[str]:
    """The contact that changed last first; all of them without `most`."""
    return cast(list[str], ledger.redis.zrevrange(keys.CONTACTS, 0, most - 1))


def all_contacts(ledger: Ledger) -> list[Record]:
    """The records of all contacts; for erasing."""
    names = contact_keys(ledger)
    found: list[Record] = []
    for at in range(0, len(names), _AT_ONCE):
        found += read_all(ledger, names[at : at + _AT_ONCE])
    return found
