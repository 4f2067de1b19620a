"""The fields of a call's record in Redis (the hash `call:<key>`): the only place that spells their names.

`Record` reads them as typed values. Scripts say `FIELD.ID`, `FAMILY.OUTPUT` and `STATE.SYNCED`, which
`scripts.py` replaces by the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Field(StrEnum):
    # Of which call the record is, and what contradicts it (lua/calls/learn.lua).
    ID = "id"
    UUID = "uuid"
    SURE = "sure"  # how sure it is that both ids are of one call
    UNTIED = "untied"
    RIVAL = "rival"
    CONFLICT = "conflict"
    CONTESTED = "contested"
    FORGOTTEN = "forgotten"
    FIRST_AT = "first_at"
    LAST_AT = "last_at"
    TRACE = "trace"  # of its last webhook, a `traceparent` (`bridge.tracing`)
    # What the last sync said.
    STATE = "state"
    REASON = "reason"
    RULES = "rules"  # version of the rules by which it was written or kept out
    SYNCED_AT = "synced_at"
    CHANGING_SINCE = "changing_since"  # when the first of the changes that are still to be written was seen
    ROW = "row"  # for lists: see summary.py
    PACKED = (
        "packed"  # bytes: outputs and log of a quiet call; in the hash of events, their bodies (packed.py)
    )
    VERIFY = "look"  # "1": look in Kustomer before the next write
    # Whose call it is.
    CALLER = "caller"  # whether Kustomer had the customer at the first look-up: known, unknown
    CUSTOMER_WHY = "customer_why"  # why this customer, where it is not the only one with the number
    CANDIDATES = "candidates"  # customers that share the number, JSON [{id, name}]
    ASSIGNED = "assigned"  # id of the customer that a person chose
    MOVED = "moved"  # id of the customer to whom the conversation was moved for that
    # Whose conversation it is.
    OWNER = "owner"  # to whom its conversation was given, and why (`domain/owners.py`)
    AGENT = "agent"  # JSON {id, name, email} as CloudTalk lists the agent, where a rule names agents
    # Of missed calls, and of conversations that calls share.
    INDEXED = "indexed"  # the number under which the call is in the index of callers
    CLOSED = "closed"  # JSON: the contact that ended its wait, or why the conversation was not closed
    STATE_BEFORE = "state_before"  # JSON: of the conversation, to be put back once the voice message is made
    SHARED = "shared"  # the customer under which its conversation is remembered for later calls
    # Of the record of a text message (`ledger/messages/`).
    MESSAGE = "message"  # JSON: what lists show of it
    NAME = "name"  # by which it is known in Kustomer
    # Questions to CloudTalk.
    ASKING = "asking"  # kind of the job that asks
    ASKING_SINCE = "asking_since"
    LOOKED_AT = "looked_at"  # when the list was read in which the call was looked for
    CUE_CARD = "cue_card"  # JSON {state, at}: what became of the card (`bridge.sync.cue_card`)
    RECORDING_ASKS = "rec:asks"
    RECORDING_SINCE = "rec:since"
    INSIGHTS = "insights"  # JSON: what was asked in vain, and answers that are not on record yet
    CONTACT = "contact"  # which contact was told of the call's customer
    # Of contacts, whose records have these and outputs.
    HEARD = "heard"  # when the last webhook of it came
    CARRIED = "carried"  # `heard` as it was when the contact was carried over last
    CUSTOMER_OF = "customer_of"  # JSON {customer, phone}: of the last call
    SETTLED = "settled"  # `settled_mark` of what the contact has: nothing is left to write
    NUMBERS = "numbers"  # JSON: the contact's, so that an erasure finds it
    LEFT_TO_PEOPLE = "left_to_people"  # JSON: sentences about what a person decides


class Family(StrEnum):
    """Fields with a name of their own behind this: `out:note`."""

    OUTPUT = "out:"
    INTENT = "intent:"
    CHANGE = "change:"
    FORM = "form:"  # an upload begun
    REFUSED = "refused:"
    # `left_out:TRIGGER`: how many events came beyond those kept.
    # `left_out:OUTPUT:FIELD`: why a field was not written.
    LEFT_OUT = "left_out:"
    COUNTED = "counted:"  # what happened to it once and was counted in the metrics
    KEPT = "kept:"  # the events of a trigger in the order they came

    def field(self, name: str) -> str:
        return f"{self.value}{name}"

    def of(self, fields: Mapping[str, str]) -> dict[str, str]:
        """The fields of this family, by their own names."""
        return {name.removeprefix(self): text for name, text in fields.items() if name.startswith(self)}


class State(StrEnum):
    """What `Field.STATE` says."""

    WAITING = "waiting"
    SYNCED = "synced"
    SKIPPED = "skipped"
    DROPPED = "dropped"  # by a person


def in_lua() -> dict[str, str]:
    """Name in scripts -> what stands for it there: `FIELD.ID` -> `'id'`."""
    kinds: dict[str, type[StrEnum]] = {"FIELD": Field, "FAMILY": Family, "STATE": State}
    return {f"{kind}.{one.name}": repr(one.value) for kind, names in kinds.items() for one in names}
