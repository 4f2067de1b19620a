"""What people do in Kustomer during the day, as the sandbox's documents show it afterwards."""

from __future__ import annotations

from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.store import Document
from tests.day.script import Day

# A person takes a missed call up: a tag, and the work is theirs.
TAKEN_UP = "taken-up"


def do_deeds(sandbox: RunningSandbox, day: Day) -> None:
    for person in day.people:
        if person.merged_into:
            merge(sandbox, person.customers[0], person.merged_into)
    for call in day.calls:
        if call.number in day.touched:
            take_up(sandbox, f"cloudtalk:call:{call.uuid}:note")


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
    from bridge.sandbox.kustomer.conversations import Conversations

    return Conversations(sandbox.world).tag_ids([TAKEN_UP])


def _one(found: list[Document]) -> Document:
    (only,) = found
    return only
