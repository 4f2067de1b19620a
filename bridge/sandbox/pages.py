"""A page on each service that shows what it holds, for people who want to see it arrive."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from bridge.sandbox.cloudtalk.recordings import is_heard
from bridge.sandbox.kustomer.uploads import LARGEST_KEPT
from bridge.sandbox.store import Document
from bridge.sandbox.views import kustomer_documents
from bridge.sandbox.world import World
from bridge.wording import counted

_HERE = Path(__file__).parent
_TEMPLATES = Environment(loader=FileSystemLoader(_HERE), autoescape=True)
# The sandbox's pages look as the bridge's do: the same files.
_STATIC = (_HERE / "static", _HERE.parent / "web" / "pages" / "static")
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; font-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_SHOWN = ("customer", "conversation", "note", "message", "attachment", "custom_object")

# Of an escaped text: the tags that a cue card is shown with, links to web pages among them.
_TAGS = re.compile(r"&lt;(/?(?:p|ul|li|b|br|a)|a href=&#34;https?://[^\s&;]*&#34;)&gt;")
_ENTITIES = re.compile(r"&amp;(amp|lt|gt|quot|#x27|#39);")

Page = Callable[[Request], Awaitable[Response]]


async def static(request: Request) -> Response:
    """One of the files that belong to the pages."""
    name = request.path_params["name"]
    paths = [folder / name for folder in _STATIC if name in {one.name for one in folder.iterdir()}]
    kind = _KINDS.get(Path(name).suffix)
    if not paths or kind is None:
        return Response(status_code=404)
    return FileResponse(paths[0], media_type=kind, headers={"X-Content-Type-Options": "nosniff"})


STATIC_ROUTE = Route("/_sandbox/static/{name}", static)


def _html(text: str) -> Response:
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})


def cloudtalk_page(world: World) -> Page:
    async def page(request: Request) -> Response:
        with world.lock:
            calls = sorted(world.store.all("call"), key=lambda one: str(one["started_at"]), reverse=True)
            agents = world.store.all("agent")
            cards = list(reversed(world.store.all("cue_card")))
        heard = {one["id"] for one in calls if is_heard(one)}
        names = {one["id"]: f"{one['firstname']} {one['lastname']}" for one in agents}
        template = _TEMPLATES.get_template("cloudtalk_page.html")
        text = template.render(
            title="CloudTalk",
            calls=calls,
            agents=agents,
            agent_names=names,
            heard=heard,
            cards=[_card(one) for one in cards],
        )
        return _html(text)

    return page


def _card(card: Document) -> Document:
    """A cue card; of its HTML the few tags that are harmless, anything else as text."""
    content = card["content"]
    texts = content if isinstance(content, str) else "\n".join(str(one.get("value") or "") for one in content)
    shown = _ENTITIES.sub(r"&\1;", _TAGS.sub(r"<\1>", str(escape(texts))))
    return {**card, "content": Markup(shown)}  # noqa: S704 - escaped


def kustomer_page(world: World) -> Page:
    async def page(request: Request) -> Response:
        with world.lock:
            held = {kind: kustomer_documents(world, kind) for kind in _SHOWN}
        template = _TEMPLATES.get_template("kustomer_page.html")
        text = template.render(
            title="Kustomer",
            customers=[_customer(one, held) for one in reversed(held["customer"])],
            summary=", ".join(
                counted(len(held[kind]), kind)
                for kind in ("customer", "conversation", "note", "message")
                if held[kind] or kind != "message"
            ),
        )
        return _html(text)

    return page


def _customer(customer: Document, held: dict[str, list[Document]]) -> Document:
    attributes = customer["attributes"]
    theirs = [one for one in held["conversation"] if _belongs(one, "customer", customer)]
    return {
        "id": customer["id"],
        "name": attributes["displayName"],
        "phones": [one["phone"] for one in attributes["phones"] + attributes["sharedPhones"]],
        "conversations": [_conversation(one, held) for one in reversed(theirs)],
        "custom_objects": [
            {"kind": one["type"], **one["attributes"]}
            for one in reversed(held["custom_object"])
            if one["relationships"].get("customer", {}).get("data", {}).get("id") == customer["id"]
        ],
    }


def _conversation(conversation: Document, held: dict[str, list[Document]]) -> Document:
    attributes = conversation["attributes"]
    return {
        "name": attributes["name"],
        "status": attributes["status"],
        "direction": attributes["direction"],
        "tags": conversation["tagNames"],
        "owners": conversation["ownerNames"],
        "external_id": attributes.get("externalId"),
        "custom": attributes.get("custom", {}),
        "entries": [_entry(one, held) for one in _in_order(conversation, held)],
    }


def _in_order(conversation: Document, held: dict[str, list[Document]]) -> list[Document]:
    """Its notes and messages, as they were made."""
    found = [*held["note"], *held["message"]]
    theirs = [one for one in found if _belongs(one, "conversation", conversation)]
    return sorted(theirs, key=lambda one: str(one["attributes"]["createdAt"]))


def _entry(one: Document, held: dict[str, list[Document]]) -> Document:
    """A note, or a message: that has a channel."""
    shown, files = one["attributes"], _attachments(one, held)
    if one["type"] == "note":
        return {"text": shown["body"], "attachments": files}
    return {
        **{name: shown.get(name) for name in ("channel", "direction", "status", "app", "auto")},
        "text": shown.get("preview") or "",
        "at": str(shown.get("sentAt") or shown["createdAt"]).replace("T", " ")[:16],
        "meta": {name: value for name, value in shown["meta"].items() if value is not None},
        "attachments": files,
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
