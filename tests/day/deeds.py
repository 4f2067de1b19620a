"""What people do in Kustomer during the day, as the sandbox's documents show it afterwards."""

from __future__ import annotations

from typing import TypeVar

from bridge.domain.phone import read_phone
from bridge.ledger.calls.by_hand import assign
from bridge.ledger.ledger import Ledger
from bridge.sandbox.kustomer.conversations import Conversations
from bridge.sandbox.running import RunningSandbox
from tests.day.script import Call, Day

T = TypeVar("T")
# A person takes a missed call up: a tag, and the work is theirs.
TAKEN_UP = "taken-up"


def do_deeds(sandbox: RunningSandbox, day: Day, *, settles: Ledger | None) -> None:
    """Args: settles: the bridge in which people say whose calls those of shared numbers are, if they do."""
    for person in day.people:
        if person.merged_into:
            merge(sandbox, person.customers[0], person.merged_into)
    for call in day.calls:
        if call.number in day.touched:
            take_up(sandbox, f"cloudtalk:call:{call.uuid}:note")
    if settles is not None:
        for person in day.settled:
            settle(sandbox, settles, next(call for call in day.calls if call.caller == person))


def settle(sandbox: RunningSandbox, ledger: Ledger, call: Call) -> None:
    """Say that the caller is the first of the customers who share the number."""
    record = ledger.find(f"uuid:{call.uuid}")
    assert record is not None and call.caller is not None
    name = call.caller.customers[0]
    with sandbox.world.lock:
        found = [one["id"] for one in sandbox.world.store.all("customer") if one["given"].get("name") == name]
    assign(ledger, record, _one(found), number=read_phone(call.phone), who="supervisor")


def merge(sandbox: RunningSandbox, source: str, target: str) -> None:
    """Join two customers: the first one's conversations and numbers go to the second, and it is gone."""
    world = sandbox.world
    with world.lock:
        by_name = {one["given"].get("name"): one for one in world.store.all("customer")}
        gone, stays = by_name[source], by_name[target]
        for conversation in world.store.find("conversation", "customer", gone["id"]):
            world.store.put("conversation", conversation["id"], conversation | {"customer": stays["id"]})
        world.store.remove("customer", gone["id"])
        phones = [*stays["given"].get("phones", []), *gone["given"].get("phones", [])]
        world.store.put("customer", stays["id"], stays | {"given": stays["given"] | {"phones": phones}})


def take_up(sandbox: RunningSandbox, note_external_id: str) -> None:
    """Add a tag to the conversation in which the call's note is."""
    world = sandbox.world
    with world.lock:
        note = _one(world.store.find("note", "externalId", note_external_id))
        conversation = world.store.get("conversation", note["conversation"])
        assert conversation is not None
        tags = [*conversation["given"].get("tags", []), *_tag(sandbox)]
        given = conversation["given"] | {"tags": tags}
        world.store.put("conversation", conversation["id"], conversation | {"given": given})


def _tag(sandbox: RunningSandbox) -> list[str]:
    return Conversations(sandbox.world).tag_ids([TAKEN_UP])


def _one(found: list[T]) -> T:
    (only,) = found
    return only
