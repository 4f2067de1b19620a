"""CloudTalk's contacts: PUT creates, POST edits, lists that are sent replace."""

from __future__ import annotations

import html
import json
import zlib
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from starlette.responses import JSONResponse, Response

from bridge.sandbox import CORE_PREFIX
from bridge.sandbox.cloudtalk.errors import refuse
from bridge.sandbox.cloudtalk.paging import Unreadable, number, page
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import World, digits

FIRST_FREE_CONTACT_ID = 1400000200

_INVALID = "Invalid input data."
# Which ids of numbers and attributes are texts, which are numbers, changes from answer to answer of
# theirs; both are taken, as in their examples.
PublicNumber = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) and value is not True else value),
    StringConstraints(pattern=r"^\+?[0-9]{3,15}$"),
]
Number = Annotated[int, Field(gt=0)]


Text15 = Annotated[str, StringConstraints(max_length=15)]
Text100 = Annotated[str, StringConstraints(max_length=100)]
Text255 = Annotated[str, StringConstraints(max_length=255)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NumberPart(_Part):
    public_number: PublicNumber


class EmailPart(_Part):
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]


class TagPart(_Part):
    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]


class UrlPart(_Part):
    name: str
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]


class AttributePart(_Part):
    attribute_id: Number
    value: Text255


class ContactBody(_Part):
    """An edit; a list that is left out stays, an empty text clears."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=150)] = ""
    title: Text255 | None = None
    company: Text100 | None = None
    industry: Text100 | None = None
    website: Text100 | None = None
    address: Text255 | None = None
    city: Text255 | None = None
    zip: Text15 | None = None
    state: Text255 | None = None
    country_id: Number | None = None
    favorite_agent: Number | None = None
    ContactNumber: list[NumberPart] = []
    ContactEmail: list[EmailPart] = []
    ContactsTag: list[TagPart] = []
    ExternalUrl: Annotated[list[UrlPart], Field(max_length=3)] = []
    ContactAttribute: list[AttributePart] = []


class NewContact(ContactBody):
    name: Annotated[str, StringConstraints(min_length=1, max_length=150)]


class TagsBody(_Part):
    tags: Annotated[list[Annotated[str, StringConstraints(min_length=1)]], Field(min_length=1)]


class Contacts:
    def __init__(self, world: World) -> None:
        self.world = world

    def add_to(self, routes: Routes) -> None:
        base = CORE_PREFIX + "/contacts"
        routes.add("GET", base + "/index.json", self.index)
        routes.add("GET", base + "/show/{id}.json", self.show)
        routes.add("PUT", base + "/add.json", self.create)
        routes.add("POST", base + "/edit/{id}.json", self.edit)
        routes.add("DELETE", base + "/delete/{id}.json", self.delete)
        routes.add("PUT", base + "/addTags/{id}.json", self.add_tags)

    def index(self, request: SandboxRequest) -> Response:
        try:
            return page(request, self._matching(request), list_item)
        except Unreadable as error:
            return refuse(request.path, 406, "Not acceptable.", **{error.name: [str(error)]})

    def show(self, request: SandboxRequest) -> Response:
        contact = self.world.store.get("contact", request.params["id"])
        if contact is None:
            return refuse(request.path, 404, "Not found.")
        return JSONResponse({"responseData": shown(contact)})

    def create(self, request: SandboxRequest) -> Response:
        body = _body(request, NewContact)
        if isinstance(body, Response):
            return body
        contact = add_contact(self.world, body)
        return JSONResponse({"responseData": {"status": 201, "data": {"id": str(contact["id"])}}}, 201)

    def edit(self, request: SandboxRequest) -> Response:
        contact = self.world.store.get("contact", request.params["id"])
        if contact is None:
            return refuse(request.path, 404, "Not found.")
        body = _body(request, ContactBody)
        if isinstance(body, Response):
            return body
        self._put(contact | body)
        return JSONResponse({"responseData": {"status": 200}})

    def delete(self, request: SandboxRequest) -> Response:
        if self.world.store.get("contact", request.params["id"]) is None:
            return refuse(request.path, 404, "Not found.")
        self.world.store.drop("contact", request.params["id"])
        return JSONResponse({"responseData": {"status": 200}})

    def add_tags(self, request: SandboxRequest) -> Response:
        contact = self.world.store.get("contact", request.params["id"])
        if contact is None:
            return refuse(request.path, 404, "Not found.")
        body = _body(request, TagsBody)
        if isinstance(body, Response):
            return body
        names = dict.fromkeys([one["name"] for one in contact["ContactsTag"]] + body["tags"])
        self._put(contact | {"ContactsTag": [{"name": name} for name in names]})
        answer = {
            "tags": [{"id": str(_tag_id(name)), "name": name} for name in names],
            "contact_id": str(contact["id"]),
        }
        # Their own spelling.
        message = "Tags were sucessfully added."
        return JSONResponse({"responseData": {"status": 200, "message": message, "data": answer}})

    def _put(self, contact: Document) -> None:
        contact = contact | {"modified": _local_time(self.world)}
        self.world.store.put("contact", str(contact["id"]), contact)

    def _matching(self, request: SandboxRequest) -> list[Document]:
        contacts = self.world.store.all("contact")
        if "country_id" in request.query:
            country = number("country_id", request.query["country_id"])
            contacts = [one for one in contacts if one["country_id"] == country]
        if "tag_id" in request.query:
            tag = number("tag_id", request.query["tag_id"])
            contacts = [one for one in contacts if tag in [_tag_id(t["name"]) for t in one["ContactsTag"]]]
        if "industry" in request.query:
            contacts = [one for one in contacts if one["industry"] == request.query["industry"]]
        if "keyword" in request.query:
            contacts = [one for one in contacts if _mentions(one, request.query["keyword"].casefold())]
        return contacts


def add_contact(world: World, fields: Document) -> Document:
    """Add a contact, or replace the one of the same `id`. Raises ValidationError."""
    fields = dict(fields)
    contact_id = fields.pop("id", None)
    with world.lock:
        if contact_id is None:
            known = [int(one["id"]) for one in world.store.all("contact")]
            contact_id = max([FIRST_FREE_CONTACT_ID - 1, *known]) + 1
        now = _local_time(world)
        document = NewContact.model_validate(fields).model_dump() | {
            "id": int(contact_id),
            "created": now,
            "modified": now,
        }
        world.store.put("contact", str(contact_id), document)
    return document


def list_item(contact: Document) -> Document:
    """In a list: one number and one e-mail address, as objects."""
    numbers, emails = contact["ContactNumber"], contact["ContactEmail"]
    return {
        "Contact": {
            "id": str(contact["id"]),
            **{name: _escaped(contact[name]) for name in ("name", "company")},
        },
        "ContactNumber": _number_item(numbers[0]) if numbers else {"public_number": None},
        "ContactEmail": emails[0] if emails else {"email": None},
        "ContactAttribute": [_attribute_item(one) for one in contact["ContactAttribute"]],
    }


def shown(contact: Document) -> Document:
    """As a real answer was: tags under `Tag`, no list where there are no links, ids as text."""
    texts = ("name", "title", "company", "industry", "website", "address", "city", "zip", "state")
    return {
        "Contact": {
            "id": str(contact["id"]),
            **{name: _escaped(contact[name]) for name in texts},
            "country_id": None if contact["country_id"] is None else str(contact["country_id"]),
            "favorite_agent": None if contact["favorite_agent"] is None else str(contact["favorite_agent"]),
            "type": "contact",
            "created": contact["created"],
            "modified": contact["modified"],
        },
        "ContactNumber": [
            _number_item(one) | {"contact_id": str(contact["id"])} for one in contact["ContactNumber"]
        ],
        "ContactEmail": [one | {"contact_id": str(contact["id"])} for one in contact["ContactEmail"]],
        "Tag": [
            {"id": str(_tag_id(one["name"])), "name": _escaped(one["name"])} for one in contact["ContactsTag"]
        ],
        "ExternalUrl": contact["ExternalUrl"] or None,
        "ContactAttribute": [_attribute_item(one) for one in contact["ContactAttribute"]],
    }


def _body(request: SandboxRequest, kind: type[_Part]) -> Document | Response:
    """What was sent, as far as it was; or the refusal, which names the fields."""
    try:
        sent = json.loads(request.body)
        return kind.model_validate(sent, strict=True).model_dump(exclude_unset=True)
    except ValidationError as error:
        wrong: dict[str, list[str]] = {}
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            wrong.setdefault(".".join(str(part) for part in one["loc"]) or "body", []).append(one["msg"])
        return refuse(request.path, 406, _INVALID, **wrong)
    except (ValueError, RecursionError):
        return refuse(request.path, 406, _INVALID, body=["Not JSON."])


def _mentions(contact: Document, keyword: str) -> bool:
    texts = [contact["name"], contact["company"] or "", *(one["email"] for one in contact["ContactEmail"])]
    if any(keyword in text.casefold() for text in texts):
        return True
    wanted = digits(keyword)
    return bool(wanted) and any(wanted in digits(one["public_number"]) for one in contact["ContactNumber"])


def _number_item(part: Document) -> Document:
    """As an integer without its plus, as in their examples."""
    return {"public_number": int(digits(part["public_number"]))}


def _attribute_item(part: Document) -> Document:
    return {
        "attribute_id": str(part["attribute_id"]),
        "title": f"Attribute {part['attribute_id']}",
        "value": part["value"],
    }


def _escaped(text: str | None) -> str | None:
    return None if text is None else html.escape(text, quote=False)


def _tag_id(name: str) -> int:
    return 100_000 + zlib.crc32(name.encode()) % 900_000


def _local_time(world: World) -> str:
    """A real contact had an offset rather than a Z."""
    return datetime.fromtimestamp(world.now(), tz=UTC).isoformat(timespec="seconds")
