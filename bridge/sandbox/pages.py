"""A page on each service that shows what it holds, for people who want to see it arrive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bridge.sandbox.cloudtalk.recordings import is_heard
from bridge.sandbox.kustomer.uploads import LARGEST_KEPT
from bridge.sandbox.store import Document
from bridge.sandbox.views import kustomer_documents
from bridge.sandbox.world import World

_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)

_SHOWN = ("customer", "conversation", "note", "attachment")

Page = Callable[[Request], Awaitable[Response]]


def cloudtalk_page(world: World) -> Page:
    async def page(request: Request) -> Response:
        with world.lock:
            calls = sorted(world.store.all("call"), key=lambda one: str(one["started_at"]), reverse=True)
            agents = world.store.all("agent")
        heard = {one["id"] for one in calls if is_heard(one)}
        names = {one["id"]: f"{one['firstname']} {one['lastname']}" for one in agents}
        template = _TEMPLATES.get_template("cloudtalk_page.html")
        text = template.render(title="CloudTalk", calls=calls, agents=agents, agent_names=names, heard=heard)
        return HTMLResponse(text)

    return page


def kustomer_page(world: World) -> Page:
    async def page(request: Request) -> Response:
        with world.lock:
            held = {kind: kustomer_documents(world, kind) for kind in _SHOWN}
        template = _TEMPLATES.get_template("kustomer_page.html")
        text = template.render(
            title="Kustomer",
            customers=[_customer(one, held) for one in reversed(held["customer"])],
            conversation_count=len(held["conversation"]),
            note_count=len(held["note"]),
        )
        return HTMLResponse(text)

    return page


def _customer(customer: Document, held: dict[str, list[Document]]) -> Document:
    attributes = customer["attributes"]
    theirs = [one for one in held["conversation"] if _belongs(one, "customer", customer)]
    return {
        "id": customer["id"],
        "name": attributes["displayName"],
        "phones": [one["phone"] for one in attributes["phones"] + attributes["sharedPhones"]],
        "conversations": [_conversation(one, held) for one in theirs],
    }


def _conversation(conversation: Document, held: dict[str, list[Document]]) -> Document:
    attributes = conversation["attributes"]
    return {
        "name": attributes["name"],
        "status": attributes["status"],
        "direction": attributes["direction"],
        "tags": conversation["tagNames"],
        "external_id": attributes.get("externalId"),
        "notes": [
            {"body": one["attributes"]["body"], "attachments": _attachments(one, held)}
            for one in held["note"]
            if _belongs(one, "conversation", conversation)
        ],
    }


def _attachments(note: Document, held: dict[str, list[Document]]) -> list[Document]:
    ids = [one["id"] for one in note["relationships"].get("attachments", {}).get("data", [])]
    by_id = {one["id"]: one for one in held["attachment"]}
    return [
        {
            "id": one["id"],
            **one["attributes"],
            "is_kept": one["size"] is not None and one["size"] < LARGEST_KEPT,
            "is_audio": one["attributes"]["contentType"].lower().startswith("audio/"),
        }
        for one in (by_id[attachment_id] for attachment_id in ids if attachment_id in by_id)
    ]


def _belongs(document: Document, relationship: str, to: Document) -> bool:
    return bool(document["relationships"][relationship]["data"]["id"] == to["id"])
