"""Every request that the clients can make, against the services' published descriptions.

These are not part of the project: the folder is named by CALLBRIDGE_SPECS, or lies beside the checkout.
Without it these tests are skipped; the sandbox is as strict, but was written by us.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from bridge.clients.attachments import Attachments
from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.http import make_client
from bridge.clients.kustomer import Customer, Kustomer
from bridge.errors import BridgeError
from bridge.sandbox import ANALYTICS_PREFIX, CORE_PREFIX
from tests.clients.given import cloudtalk_at, kustomer_at, resource

ADA = "+441632960304"
AN_ID = "5f0e0000000000000000a1cc"
SINCE = datetime(2026, 3, 2, tzinfo=UTC)
KNOWN = Customer(
    id=AN_ID, company_id=AN_ID, phones=({"type": "mobile", "phone": ADA, "verified": True},), rev=3
)

KUSTOMER_CALLS: dict[str, Callable[[Kustomer], object]] = {
    "customer": lambda k: k.customer(AN_ID),
    "customer_by_phone": lambda k: k.customer_by_phone(ADA),
    "customer_by_email": lambda k: k.customer_by_email("ada+x@example.com"),
    "customer_by_external_id": lambda k: k.customer_by_external_id("cloudtalk:number:1 2/3"),
    "create_customer": lambda k: k.create_customer(phone=ADA, name="Ada", external_id="cloudtalk:x"),
    "update_customer": lambda k: k.update_customer(KNOWN, name="Ada"),
    "add_phone": lambda k: k.add_phone(KNOWN, "+441632960305"),
    "conversation": lambda k: k.conversation(AN_ID),
    "conversation_by_external_id": lambda k: k.conversation_by_external_id("cloudtalk:call:x"),
    "create_conversation": lambda k: k.create_conversation(
        AN_ID,
        {"externalId": "x", "name": "Call", "direction": "in", "status": "done", "tags": ["VIP"]},
        assigned_users=[AN_ID],
    ),
    "update_conversation": lambda k: k.update_conversation(
        AN_ID, {"externalId": "x", "name": "Call", "direction": "out", "status": "open", "tags": ["VIP"]}
    ),
    "note": lambda k: k.note(AN_ID),
    "notes_of": lambda k: list(k.notes_of(AN_ID)),
    "create_note": lambda k: k.create_note(AN_ID, {"externalId": "x:note", "body": "Call"}, note_id=AN_ID),
    "update_note": lambda k: k.update_note(AN_ID, {"externalId": "x:note", "body": "Call"}),
    "users_by_email": lambda k: k.users_by_email("bo.sample@example.com"),
    "attachments.create": lambda k: k.attachments.create(name="call.mp3", content_type="audio/mpeg", size=9),
    "attachments.reference": lambda k: k.attachments.reference(AN_ID),
}
CLOUDTALK_CALLS: dict[str, Callable[[CloudTalk], object]] = {
    "call_detail": lambda c: c.call_detail(1000000110),
    "list_calls": lambda c: list(c.list_calls(external=ADA, since=SINCE, until=SINCE)),
    "agents": lambda c: c.agents(),
    "recording": lambda c: nullcontext(c.recording(1000000110, start=9).__enter__()),
    "delete_recording": lambda c: c.delete_recording(1000000110),
}


def description(name: str) -> dict[str, Any]:
    folder = os.environ.get("CALLBRIDGE_SPECS")
    path = (Path(folder) if folder else Path(__file__).parents[2] / "../shared/specs") / name
    if not path.is_file():
        pytest.skip(f"no {name}: name its folder in CALLBRIDGE_SPECS")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def public(client: type) -> set[str]:
    return {name for name in vars(client) if not name.startswith("_")}


def requests_of(make: Callable[[httpx2.Client], object]) -> list[httpx2.Request]:
    """What a client sends, to somebody who finds everything good."""
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={"data": resource(AN_ID), "responseData": {"data": []}})

    # That answer fits some requests better than others.
    with make_client(httpx2.MockTransport(answer)) as client, suppress(BridgeError):
        make(client)
    assert sent
    return sent


def operation_of(spec: dict[str, Any], request: httpx2.Request, prefix: str = "") -> dict[str, Any]:
    path = urlsplit(str(request.url)).path.removeprefix(prefix)
    # In the order of the file: `externalId={x}` comes before `{id}`, which would fit it too.
    for template, methods in spec["paths"].items():
        pattern = "".join(
            "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", template)
        )
        if re.fullmatch(pattern, path):
            assert request.method.lower() in methods, f"{request.method} {template}"
            found: dict[str, Any] = methods[request.method.lower()]
            return found
    raise AssertionError(f"no such path: {path}")


def parameters_fit(spec: dict[str, Any], operation: dict[str, Any], request: httpx2.Request) -> None:
    known = {}
    for parameter in operation.get("parameters") or []:
        if "$ref" in parameter:
            parameter = spec["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
        if parameter["in"] == "query":
            known[parameter["name"]] = parameter
    for name, values in parse_qs(urlsplit(str(request.url)).query).items():
        assert name in known, name
        schema = known[name]["schema"]
        value: object = int(values[0]) if schema.get("type") == "integer" else values[0]
        validator(spec, schema).validate(value)


def validator(spec: dict[str, Any], schema: dict[str, Any]) -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    return jsonschema.Draft202012Validator({**schema, "components": spec["components"]})


def test_every_request_of_the_clients_is_in_the_tables() -> None:
    # An upload goes to a host that is not Kustomer's, a public link to a page that is no API.
    attachments = {f"attachments.{name}" for name in public(Attachments) - {"upload"}}
    assert public(Kustomer) | attachments == set(KUSTOMER_CALLS)
    assert public(CloudTalk) - {"public_recording"} == set(CLOUDTALK_CALLS)


@pytest.mark.parametrize("name", KUSTOMER_CALLS)
def test_what_is_sent_to_kustomer_is_as_described(name: str) -> None:
    spec = description("kustomer-openapi.json")

    sent = requests_of(lambda client: KUSTOMER_CALLS[name](kustomer_at("https://kustomer.example", client)))

    for request in sent:
        operation = operation_of(spec, request)
        parameters_fit(spec, operation, request)
        wanted = operation.get("requestBody")
        assert bool(request.content) == bool(wanted)
        if wanted:
            kind = request.headers["content-type"].partition(";")[0]
            validator(spec, wanted["content"][kind]["schema"]).validate(json.loads(request.content))


@pytest.mark.parametrize("name", CLOUDTALK_CALLS)
def test_what_is_asked_of_cloudtalk_is_as_described(name: str) -> None:
    spec = description("cloudtalk-openapi-1.7.json")

    sent = requests_of(
        lambda client: CLOUDTALK_CALLS[name](cloudtalk_at("https://cloudtalk.example", client))
    )

    for request in sent:
        prefix = ANALYTICS_PREFIX if name == "call_detail" else CORE_PREFIX
        parameters_fit(spec, operation_of(spec, request, prefix), request)


def test_a_property_that_is_not_described_would_be_noticed() -> None:
    spec = description("kustomer-openapi.json")

    (request,) = requests_of(
        lambda client: kustomer_at("https://kustomer.example", client).update_note(AN_ID, {"status": "x"})
    )

    schema = operation_of(spec, request)["requestBody"]["content"]["application/json"]["schema"]
    wrong = [error.message for error in validator(spec, schema).iter_errors(json.loads(request.content))]
    assert len(wrong) == 1
    assert "Additional properties" in wrong[0]
