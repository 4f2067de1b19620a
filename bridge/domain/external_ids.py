"""The external ids by which what the bridge wrote for a call is found again in Kustomer; pure."""

from __future__ import annotations

import hashlib
from uuid import UUID

from bridge.domain.outputs import OUTPUTS
from bridge.domain.webhook.values import read_uuid

OUR_PREFIX, _NUMBER = "cloudtalk:call:", "cloudtalk:number:"
_SECOND = ":2"


def external_ids(*, uuid: UUID | None, call_id: int | None) -> tuple[str, ...]:
    """The keys that a call's conversation may have in Kustomer, the proper one first.

    The proper one is from the uuid, so that it is the same whoever found the call first. Where CloudTalk
    did not tell the uuid in time it is from the number; should the uuid come to light later, the
    conversation gets the proper key. By then another ledger may have to find it.
    """
    by_number = () if call_id is None else (f"{OUR_PREFIX}id:{call_id}",)
    return by_number if uuid is None else (f"{OUR_PREFIX}{uuid}", *by_number)


def number_key(number: str) -> str:
    """The external id of the customer with a number that cannot be called back."""
    return f"{_NUMBER}{number}"


def is_number_key(external_id: str) -> bool:
    return external_id.startswith(_NUMBER)


def key_of(output: str, external_id: str) -> str:
    """The external id of an output of the call whose conversation has this one."""
    return f"{external_id}{OUTPUTS[output].ending}"


def later_key(note: str) -> str:
    """The external id of the call's second note, from that of its note."""
    return f"{note}{_SECOND}"


def uuid_in_key(output: str, external_id: str) -> UUID | None:
    """The uuid of the call whose note or voice message has this external id; None: not ours, or none."""
    ending = OUTPUTS[output].ending
    external_id = (
        external_id.removesuffix(_SECOND) if external_id.endswith(later_key(ending)) else external_id
    )
    if not (external_id.startswith(OUR_PREFIX) and external_id.endswith(ending)):
        return None
    return read_uuid(external_id.removeprefix(OUR_PREFIX).removesuffix(ending))


def object_id(text: str) -> str:
    """24 hex digits made from a text, in the form of Kustomer's own ids."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]
