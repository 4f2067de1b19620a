"""All that a service holds, for its state and its page."""

from __future__ import annotations

from bridge.sandbox.cloudtalk.recordings import is_heard
from bridge.sandbox.kustomer.shapes import shape
from bridge.sandbox.store import Document
from bridge.sandbox.world import CLOUDTALK_KINDS, World

_PLURALS = {
    "customer": "customers",
    "conversation": "conversations",
    "note": "notes",
    "message": "messages",
    "attachment": "attachments",
    "user": "users",
    "team": "teams",
    "company": "companies",
    "custom_object": "custom_objects",
}


def cloudtalk_state(world: World) -> Document:
    state: Document = {kind + "s": world.store.all(kind) for kind in CLOUDTALK_KINDS}
    state["calls"] = [_without_sound(call) for call in state["calls"]]
    return state


def kustomer_state(world: World) -> Document:
    state: Document = {name: kustomer_documents(world, kind) for kind, name in _PLURALS.items()}
    state["tags"] = world.store.all("tag")
    return state


def kustomer_documents(world: World, kind: str) -> list[Document]:
    """As the API shows them, and beside that what it does not show: the names of a conversation's tags and
    owners; of an attachment, what was uploaded, how often, and whether a note or message points at it.
    """
    shown = [shape(kind, one, world) for one in world.store.all(kind)]
    if kind == "conversation":
        names = {one["id"]: one["name"] for one in world.store.all("tag")}
        for one in shown:
            one["tagNames"] = [names.get(tag, tag) for tag in one["attributes"]["tags"]]
            one["ownerNames"] = _owners(one["attributes"], world)
    if kind == "attachment":
        for one in shown:
            attachment = world.store.get("attachment", one["id"]) or {}
            one |= {name: attachment[name] for name in ("uploaded", "size", "sha256")}
            one["uploadCount"] = attachment["upload_count"]
            one["referenced"] = any(
                world.store.find(kind, "attachment", one["id"]) for kind in ("note", "message")
            )
    return shown


def _owners(attributes: Document, world: World) -> list[str]:
    """The users by e-mail, then the teams by name."""
    users = [world.store.get("user", one) for one in attributes["assignedUsers"]]
    teams = [world.store.get("team", one) for one in attributes["assignedTeams"]]
    return [
        *(one["given"].get("email") or one["given"]["name"] for one in users if one),
        *(one["given"]["name"] for one in teams if one),
    ]


def _without_sound(call: Document) -> Document:
    return {name: value for name, value in call.items() if name != "recording_wav"} | {
        "has_recording": is_heard(call)
    }
