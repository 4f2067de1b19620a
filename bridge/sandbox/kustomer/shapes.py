"""How Kustomer shows what it holds: JSON:API, with the attributes its published answers have."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import QueryParams

from bridge.sandbox.kustomer.errors import bad_parameter
from bridge.sandbox.store import Document
from bridge.sandbox.world import World

ORG_ID = "5f0e00000000000000000001"
# The user behind the key: author of all that is written with it.
MACHINE_USER_ID = "5f0e00000000000000000002"

_CUSTOMER_LISTS = (
    "externalIds", "sharedExternalIds", "emails", "sharedEmails", "phones", "sharedPhones", "whatsapps",
    "facebookIds", "instagramIds", "socials", "sharedSocials", "urls", "locations", "tags",
)  # fmt: skip


def customer_shape(customer: Document, world: World) -> Document:
    given = dict(customer["given"])
    conversations = world.store.find("conversation", "customer", customer["id"])
    statuses = [one["given"].get("status", "open") for one in conversations]
    entries = given.get("externalIds") or []
    primary = given.get("externalId")
    if primary and all(entry["externalId"] != primary for entry in entries):
        # Recorded: the one externalId is shown in the list as well, as a verified one.
        given["externalIds"] = [{"verified": True, "externalId": primary}, *entries]
    emails = [entry["email"] for entry in given.get("emails", [])]
    phones = [entry["phone"] for entry in given.get("phones", [])]
    attributes: Document = {
        "name": None,
        "displayName": given.get("name") or next(iter(emails + phones), "Unknown"),
        "displayColor": "green",
        "displayIcon": "compass",
        **{name: [] for name in _CUSTOMER_LISTS},
        "activeUsers": [],
        "watchers": [],
        "lastActivityAt": customer["updated_at"],
        "lastConversation": {"tags": []},
        "conversationCounts": {
            "all": len(statuses),
            **{status: statuses.count(status) for status in ("snoozed", "open", "done")},
        },
        "deleted": False,
        "progressiveStatus": None,
        "verified": True,
        **given,
        **_times(customer),
        "rev": customer["rev"],
    }
    for name in ("emails", "phones", "sharedEmails", "sharedPhones"):
        attributes[name] = [{"verified": False, **entry} for entry in attributes[name]]
    relationships = {
        "messages": {"links": {"self": f"/v1/customers/{customer['id']}/messages"}},
        **_written_by(),
    }
    if customer["company"] is not None:
        relationships["company"] = _to("company", "companies", customer["company"])
    return _resource("customer", "customers", customer["id"], attributes, relationships)


def conversation_shape(conversation: Document, world: World) -> Document:
    messages = world.store.find("message", "conversation", conversation["id"])
    attributes: Document = {
        "name": "",
        "channels": list(dict.fromkeys(one["given"]["channel"] for one in messages)),
        "status": "open",
        "messageCount": len(messages),
        "noteCount": len(world.store.find("note", "conversation", conversation["id"])),
        "satisfaction": 0,
        "tags": [],
        "suggestedTags": [],
        "sentiment": {},
        "lastMessageIn": {},
        "assignedUsers": [],
        "assignedTeams": [],
        "firstResponse": {},
        "direction": "in",
        "outboundMessageCount": 0,
        **conversation["given"],
        **_times(conversation),
        "rev": conversation["rev"],
    }
    relationships = {
        "customer": _to("customer", "customers", conversation["customer"]),
        "messages": {"links": {"self": f"/v1/conversations/{conversation['id']}/messages"}},
        **_written_by(),
    }
    return _resource("conversation", "conversations", conversation["id"], attributes, relationships)


def note_shape(note: Document, world: World) -> Document:
    given = dict(note["given"])
    mentions = given.pop("userMentions", [])
    attachments = given.pop("attachments", [])
    attributes = {**given, "createdAt": note["created_at"], "updatedAt": note["updated_at"]}
    relationships: Document = {
        **{name: link for name, link in _written_by().items() if name != "modifiedBy"},
        "conversation": _to("conversation", "conversations", note["conversation"]),
    }
    conversation = world.store.get("conversation", note["conversation"])
    if conversation is not None:
        relationships["customer"] = _to("customer", "customers", conversation["customer"])
    if mentions:
        relationships["userMentions"] = {
            "data": [{"type": kind, "id": value} for one in mentions for kind, value in one.items()]
        }
    if attachments:
        relationships["attachments"] = {
            "links": {"self": f"/v1/notes/{note['id']}/attachments"},
            "data": [{"type": "attachment", "id": one["_id"]} for one in attachments],
        }
    return _resource("note", "notes", note["id"], attributes, relationships)


def message_shape(message: Document, world: World) -> Document:
    given = dict(message["given"])
    attachments = given.pop("attachments", [])
    attributes: Document = {
        "size": 0,
        "status": "received" if given.get("direction", "in") == "in" else "sent",
        "direction": "in",
        "meta": {},
        "auto": False,
        "assignedTeams": [],
        "assignedUsers": [],
        "redacted": False,
        "reactions": [],
        **given,
        **_times(message),
        "rev": message["rev"],
    }
    # Read-only: which of a conversation's messages it was.
    attributes["directionType"] = f"initial-{attributes['direction']}"
    relationships: Document = {
        **_written_by(),
        "conversation": _to("conversation", "conversations", message["conversation"]),
    }
    conversation = world.store.get("conversation", message["conversation"])
    if conversation is not None:
        # The type is the plural in messages only.
        relationships["customer"] = _to("customers", "customers", conversation["customer"])
    if attachments:
        ids = [one if isinstance(one, str) else one["_id"] for one in attachments]
        relationships["attachments"] = {
            "links": {"self": f"/v1/messages/{message['id']}/attachments"},
            "data": [{"type": "attachment", "id": one} for one in ids],
        }
    return _resource("message", "messages", message["id"], attributes, relationships)


def attachment_shape(attachment: Document, world: World) -> Document:
    attributes = {"redacted": False, **attachment["given"], "uploaded": attachment["uploaded"]}
    return _resource("attachment", "attachments", attachment["id"], attributes, {})


def user_shape(user: Document, world: World) -> Document:
    given = user["given"]
    attributes = {
        "displayName": given["name"],
        "mobile": None,
        "userType": "user",
        "roles": ["org.user"],
        **given,
        "createdAt": user["created_at"],
        "updatedAt": user["updated_at"],
    }
    return _resource("user", "users", user["id"], attributes, {})


def team_shape(team: Document, world: World) -> Document:
    attributes = {**team["given"], "createdAt": team["created_at"], "updatedAt": team["updated_at"]}
    return _resource("team", "teams", team["id"], attributes, {})


def company_shape(company: Document, world: World) -> Document:
    attributes = {**company["given"], **_times(company), "rev": company["rev"]}
    return _resource("company", "companies", company["id"], attributes, _written_by())


def custom_object_shape(item: Document, world: World) -> Document:
    attributes = {**item["given"], **_times(item), "rev": item["rev"]}
    relationships = dict(_written_by())
    if item["customer"]:
        relationships["customer"] = _to("customer", "customers", item["customer"])
    klass = item["klass"]
    return _resource(f"kobject.{klass}", f"klasses/{klass}", item["id"], attributes, relationships)


SHAPES = {
    "customer": customer_shape,
    "conversation": conversation_shape,
    "note": note_shape,
    "message": message_shape,
    "attachment": attachment_shape,
    "user": user_shape,
    "team": team_shape,
    "company": company_shape,
    "custom_object": custom_object_shape,
}


def shape(kind: str, document: Document, world: World) -> Document:
    return SHAPES[kind](document, world)


def page_of(
    kind: str,
    documents: list[Document],
    world: World,
    *,
    path: str,
    query: QueryParams,
    largest: int = 100,
    counted: bool = False,
) -> Document:
    """One page as the envelope of a list.

    Args:
        counted: with totals and a link to the last page, which only some lists have.
    """
    page = _number(query, "page", 1, largest=None)
    size = _number(query, "pageSize", 100, largest=largest)
    pages = max(1, -(-len(documents) // size))
    others = [(name, value) for name, value in query.multi_items() if name not in ("page", "pageSize")]

    def link(number: int) -> str:
        wanted = [("page", str(number)), ("pageSize", str(size)), *others]
        return f"{path}?{urlencode(wanted, quote_via=quote)}"

    meta: dict[str, Any] = {"pageSize": size, "page": page}
    links = {
        "self": link(page),
        "first": link(1),
        "prev": link(page - 1) if page > 1 else None,
        "next": link(page + 1) if page < pages else None,
    }
    if counted:
        meta |= {"total": len(documents), "totalPages": pages}
        links["last"] = link(pages)
    shown = documents[(page - 1) * size : page * size]
    return {"meta": meta, "data": [shape(kind, one, world) for one in shown], "links": links}


def _number(query: QueryParams, name: str, default: int, *, largest: int | None) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1 or (largest and int(text) > largest):
        raise bad_parameter(name)
    return int(text)


def _times(document: Document) -> Document:
    return {
        "createdAt": document["given"].get("createdAt", document["created_at"]),
        "updatedAt": document["updated_at"],
        "modifiedAt": document["updated_at"],
    }


def _resource(
    kind: str, path: str, resource_id: str, attributes: Document, relationships: Document
) -> Document:
    return {
        "type": kind,
        "id": resource_id,
        "attributes": attributes,
        "relationships": {"org": _to("org", "orgs", ORG_ID), **relationships},
        "links": {"self": f"/v1/{path}/{resource_id}"},
    }


def _to(kind: str, path: str, resource_id: str) -> Document:
    return {"links": {"self": f"/v1/{path}/{resource_id}"}, "data": {"type": kind, "id": resource_id}}


def _written_by() -> Document:
    return {name: _to("user", "users", MACHINE_USER_ID) for name in ("createdBy", "modifiedBy")}
