"""Membrane's catalogue for both apps: the documented keys and names, each with the vendor call behind it.

The real schemas are published nowhere; these name what the vendors' calls take.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
from starlette.responses import JSONResponse, Response

from bridge.sandbox import ANALYTICS_PREFIX, CORE_PREFIX
from bridge.sandbox.membrane.errors import envelope, refuse
from bridge.sandbox.membrane.proxy import Apps
from bridge.sandbox.store import Document

_ID = {"type": ["string", "integer"]}
_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}
_LIST, _OBJECT = {"type": "array"}, {"type": "object"}
_CT_PAGE = {"page": _WHOLE, "limit": _WHOLE}
_K_PAGE = {"page": _WHOLE, "pageSize": _WHOLE}
_CONTACT = dict.fromkeys(
    ("name", "title", "company", "industry", "address", "city", "zip", "state"), _TEXT
) | {"country_id": _WHOLE, "ContactNumber": _LIST, "ContactEmail": _LIST, "ContactsTag": _LIST}
_CALL_FILTERS = dict.fromkeys(
    ("public_internal", "public_external", "date_from", "date_to", "type", "status"), _TEXT
) | dict.fromkeys(("call_id", "contact_id", "user_id", "tag_id"), _ID)
_CUSTOMER = (
    dict.fromkeys(("name", "company", "externalId", "username", "locale", "timeZone"), _TEXT)
    | dict.fromkeys(("emails", "phones", "tags", "externalIds", "socials", "urls", "locations"), _LIST)
    | {"custom": _OBJECT}
)
_CONVERSATION = dict.fromkeys(("customer", "name", "status", "direction", "externalId", "queue"), _TEXT) | {
    "priority": _WHOLE,
    "tags": _LIST,
    "assignedUsers": _LIST,
    "assignedTeams": _LIST,
    "custom": _OBJECT,
}
_MESSAGE = dict.fromkeys(
    ("conversation", "customer", "channel", "app", "subject", "preview", "direction", "externalId"), _TEXT
) | {"meta": _OBJECT, "attachments": _LIST}
_COMPANY = dict.fromkeys(("name", "externalId"), _TEXT) | dict.fromkeys(
    ("emails", "phones", "domains", "tags"), _LIST
)


@dataclass(frozen=True, slots=True)
class Offer:
    """An action: what it is called, and the vendor call that it makes.

    `path` takes fields in braces; `query` and `body` are the other fields.
    """

    app: str
    name: str
    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    key: str = ""

    @property
    def slug(self) -> str:
        return self.key or "-".join(re.findall(r"[a-z0-9]+", self.name.lower()))

    @property
    def id(self) -> str:
        return hashlib.sha256(f"action:{self.app}:{self.slug}".encode()).hexdigest()[:24]

    @property
    def in_path(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def input_schema(self) -> Document:
        properties = {**dict.fromkeys(self.in_path, _ID), **self.query, **self.body}
        return {
            "type": "object",
            "properties": properties,
            "required": [*self.in_path, *self.required],
        }


def _cloudtalk(name: str, method: str, path: str, **more: Any) -> Offer:
    return Offer("cloudtalk", name, method, path, **more)


def _kustomer(name: str, method: str, path: str, **more: Any) -> Offer:
    return Offer("kustomer", name, method, "/v1" + path, **more)


_CORE = CORE_PREFIX
OFFERS = (
    _cloudtalk("List Contacts", "GET", _CORE + "/contacts/index.json", query=_CT_PAGE | {"keyword": _TEXT}),
    _cloudtalk("Get Contact", "GET", _CORE + "/contacts/show/{id}.json"),
    _cloudtalk("Create Contact", "PUT", _CORE + "/contacts/add.json", body=_CONTACT, required=("name",)),
    _cloudtalk("Update Contact", "POST", _CORE + "/contacts/edit/{id}.json", body=_CONTACT),
    _cloudtalk("Delete Contact", "DELETE", _CORE + "/contacts/delete/{id}.json"),
    _cloudtalk(
        "Add Tags to Contact", "PUT", _CORE + "/contacts/addTags/{id}.json", body={"tags": _LIST},
        required=("tags",),
    ),
    _cloudtalk("List Calls", "GET", _CORE + "/calls/index.json", query=_CT_PAGE | _CALL_FILTERS),
    _cloudtalk("Get Call", "GET", ANALYTICS_PREFIX + "/calls/{id}"),
    _cloudtalk("Get Call Recording", "GET", _CORE + "/calls/recording/{id}.json"),
    _cloudtalk("List Agents", "GET", _CORE + "/agents/index.json", query=_CT_PAGE),
    _cloudtalk("Get Agent", "GET", _CORE + "/agents/index.json", query={"id": _ID}, required=("id",)),
    _cloudtalk(
        "Send SMS", "POST", _CORE + "/sms/send.json",
        body={"recipient": _TEXT, "message": _TEXT, "sender": _TEXT}, required=("recipient", "message"),
    ),
    _kustomer("List Customers", "GET", "/customers", query=_K_PAGE),
    _kustomer("Get Customer by ID", "GET", "/customers/{id}"),
    _kustomer("Get Customer by Email", "GET", "/customers/email={email}"),
    _kustomer("Create Customer", "POST", "/customers", body=_CUSTOMER),
    _kustomer("Update Customer", "PUT", "/customers/{id}", body=_CUSTOMER),
    _kustomer("List Conversations", "GET", "/conversations", query=_K_PAGE),
    _kustomer("Get Conversation by ID", "GET", "/conversations/{id}"),
    _kustomer("Create Conversation", "POST", "/conversations", body=_CONVERSATION, required=("customer",)),
    _kustomer("Update Conversation", "PUT", "/conversations/{id}", body=_CONVERSATION),
    _kustomer("List Messages", "GET", "/messages", query=_K_PAGE),
    _kustomer("Get Message by ID", "GET", "/messages/{id}"),
    _kustomer("Create Message", "POST", "/messages", body=_MESSAGE),
    _kustomer("List Notes", "GET", "/notes", query=_K_PAGE),
    _kustomer("Get Note by ID", "GET", "/notes/{id}"),
    _kustomer(
        "Create Note", "POST", "/conversations/{conversationId}/notes",
        body={"body": _TEXT, "externalId": _TEXT}, required=("body",),
    ),
    _kustomer("List Companies", "GET", "/companies", query=_K_PAGE),
    _kustomer("Get Company by ID", "GET", "/companies/{id}"),
    _kustomer("Create Company", "POST", "/companies", body=_COMPANY, required=("name",)),
    _kustomer("List Users", "GET", "/users", query=_K_PAGE),
    _kustomer("Get User by ID", "GET", "/users/{id}"),
)  # fmt: skip


def offers_of(app: str, intent: str = "") -> list[Offer]:
    """All, or those that share words with the intent, most first."""
    found = [one for one in OFFERS if one.app == app]
    words = set(re.findall(r"[a-z]{3,}", intent.lower()))
    if not words:
        return found
    shared = {one.id: len(words & set(one.slug.split("-"))) for one in found}
    return sorted((one for one in found if shared[one.id]), key=lambda one: -shared[one.id])


def shown(offer: Offer, *, with_key: bool) -> Document:
    """As the API shows it; those of the catalogue have an empty key."""
    return {
        "id": offer.id,
        "key": offer.slug if with_key else "",
        "name": offer.name,
        "description": f"{offer.name} ({offer.app})",
        "type": "api-request-to-external-app",
        "state": "READY",
        "isPublic": not with_key,
        "integrationId": f"integration-{offer.app}",
        "inputSchema": offer.input_schema,
        "outputSchema": {"type": "object"},
    }


def find(selector: str, *, with_key: bool) -> Offer | None:
    return next((one for one in OFFERS if selector == one.id or (with_key and selector == one.slug)), None)


async def run(apps: Apps, offer: Offer, given: Any) -> Response:
    """Make the call. Properties that the schema does not name are ignored without a word, as documented."""
    run_id = f"run_{secrets.token_hex(8)}"
    given = given if isinstance(given, dict) else {}
    if missing := [name for name in offer.input_schema["required"] if name not in given]:
        return envelope(400, "action_run", f"Missing input: {', '.join(missing)}", actionRunId=run_id)
    path = offer.path.format_map({name: quote(str(given[name]), safe="@") for name in offer.in_path})
    query = urlencode([(name, str(given[name])) for name in offer.query if name in given])
    body = {name: given[name] for name in offer.body if name in given}
    try:
        answer = await apps.ask(
            offer.app,
            offer.method,
            f"{path}?{query}" if query else path,
            headers={"user-agent": "membrane-sandbox", "content-type": "application/json"},
            content=json.dumps(body).encode() if offer.body else b"",
        )
        content = await answer.aread()
        await answer.aclose()
    except (httpx2.HTTPError, LookupError):
        return refuse(502)
    if answer.status_code >= 400:
        return envelope(
            400,
            "action_run",
            "Action run failed",
            actionRunId=run_id,
            data={"response": {"status": answer.status_code, "data": _readable(content)}},
            causedByError={
                "type": "bad_request",
                "message": f"Request failed with status code {answer.status_code}",
            },
        )
    return JSONResponse({"output": _output(answer, content), "actionRunId": run_id})


def _output(answer: httpx2.Response, content: bytes) -> Any:
    kind = answer.headers.get("content-type", "")
    if "json" in kind or not content:
        return _readable(content)
    return {"contentType": kind, "base64": base64.b64encode(content).decode()}


def _readable(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode("utf-8", "replace")
