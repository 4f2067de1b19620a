"""What a test says about Kustomer's state."""

from __future__ import annotations

from typing import Any

from bridge.sandbox.running import RunningSandbox


def desk(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    """All that Kustomer shows of what the bridge wrote, without ids and times that it makes itself."""
    conversations = {item["id"]: item for item in sandbox.kustomer.conversations}
    notes: dict[str, list[dict[str, Any]]] = {}
    for note in sandbox.kustomer.notes:
        conversation = note["relationships"]["conversation"]["data"]["id"]
        attributes = note["attributes"]
        notes.setdefault(conversation, []).append(
            {"externalId": attributes["externalId"], "body": attributes["body"]}
        )
    messages: dict[str, list[dict[str, Any]]] = {}
    for message in sandbox.kustomer.messages:
        conversation = message["relationships"]["conversation"]["data"]["id"]
        names = ("externalId", "channel", "app", "direction", "status", "preview", "sentAt", "meta", "auto")
        shown = {name: message["attributes"].get(name) for name in names}
        files = [one["id"] for one in message["relationships"].get("attachments", {}).get("data", [])]
        messages.setdefault(conversation, []).append({**shown, "files": len(files)})
    found = []
    for customer in sandbox.kustomer.customers:
        attributes = customer["attributes"]
        own = [
            {
                **{
                    name: item["attributes"].get(name)
                    for name in ("externalId", "name", "status", "direction")
                },
                "tags": item["tagNames"],
                "owners": item["ownerNames"],
                "notes": notes.get(id_, []),
                # Of most calls there are none.
                **({"messages": messages[id_]} if id_ in messages else {}),
            }
            for id_, item in conversations.items()
            if item["relationships"]["customer"]["data"]["id"] == customer["id"]
        ]
        objects = [
            {name: item["attributes"].get(name) for name in ("externalId", "title", "custom")}
            for item in sandbox.kustomer.custom_objects
            if item["relationships"]["customer"]["data"]["id"] == customer["id"]
        ]
        found.append(
            {
                "name": attributes["name"],
                "phones": [phone["phone"] for phone in attributes["phones"]],
                "conversations": sorted(own, key=lambda item: str(item["externalId"])),
                **({"objects": objects} if objects else {}),
            }
        )
    return sorted(found, key=lambda item: item["phones"])


def one_of_each(sandbox: RunningSandbox) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The one customer, conversation and note there are."""
    kustomer = sandbox.kustomer
    counts = len(kustomer.customers), len(kustomer.conversations), len(kustomer.notes)
    assert counts == (1, 1, 1), f"customers, conversations, notes: {counts}"
    return kustomer.customers[0], kustomer.conversations[0], kustomer.notes[0]
