"""The owners of a conversation: what is sent, and what may change later without taking it from anybody.

Kustomer replaces both lists whole, so whoever else is in them is sent along. A conversation whose owner was
removed, or that went to somebody else, belongs to a person from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge.clients.kustomer import Conversation
from bridge.domain.owners import Owner
from bridge.ledger.calls.record import Written
from bridge.sync.owners import keep_owner
from bridge.sync.writer import CallWriter, Fields

USERS, TEAMS = "assignedUsers", "assignedTeams"
OWNED = (USERS, TEAMS)


def owned_fields(owner: Owner, known: Written | None) -> dict[str, list[str]]:
    """Both lists, also where they are empty: that the bridge gave it to nobody is known then."""
    if known is not None and USERS not in known.sent:
        # Written by an earlier version, which did not record whom it assigned.
        return {}
    return {USERS: sorted(owner.users), TEAMS: sorted(owner.teams)}


def our_part(writer: CallWriter, owner: Owner, current: Conversation) -> dict[str, list[str]]:
    """Of those who are in the lists now, the ones whom the bridge put there."""
    return {
        name: sorted(one for one in current.owners(name) if one in _ours(writer, owner, name))
        for name in OWNED
    }


def owned_changes(
    writer: CallWriter, owner: Owner, fields: Fields, known: Written, current: Conversation
) -> dict[str, list[str]]:
    """Our part of each list that is to change; nothing where a person has decided since."""
    names = [name for name in OWNED if name in known.sent and fields.get(name) != known.sent[name]]
    if not names:
        return {}
    sent, there = set(known.sent[USERS]), set(current.owners(USERS))
    if not sent <= there or (there and not sent):
        keep_owner(writer.log, replace(owner, by_person=True))
        return {}
    # A team that was taken away stays away; whichever Kustomer's own rules added stays there.
    return {
        name: fields[name]
        for name in names
        if name == USERS or set(known.sent[name]) <= set(current.owners(name))
    }


def with_others(
    writer: CallWriter, owner: Owner, changes: Mapping[str, Any], current: Conversation
) -> dict[str, Any]:
    """The changes with whole lists."""
    whole = dict(changes)
    for name in OWNED:
        if name in changes:
            ours = _ours(writer, owner, name)
            others = [one for one in current.owners(name) if one not in ours]
            whole[name] = [*others, *(one for one in changes[name] if one not in others)][:_MOST]
    return whole


# Kustomer: up to 10 of each (documented).
_MOST = 10


def _ours(writer: CallWriter, owner: Owner, name: str) -> set[str]:
    """Everybody whom this call was ever to be given to, as far as it is on record."""
    record = writer.record
    known = record.outputs.get("conversation")
    told = (known.sent if known else {}, record.intents.get("conversation", {}))
    begun = record.changes.get("conversation", {})
    wanted = owner.users if name == USERS else owner.teams
    return {*wanted, *(one for fields in (*told, begun) for one in fields.get(name, ()))}
