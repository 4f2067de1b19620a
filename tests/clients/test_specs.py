"""Every request that the clients can make, against the services' published descriptions.

These are not part of the project: the folder is named by CALLBRIDGE_SPECS, or lies beside the checkout.
Without it these tests are skipped; the sandbox is as strict, but was written by us.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from bridge.clients.kustomer.attachments import Attachments
from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.kustomer import Customer, Kustomer
from bridge.sandbox import ANALYTICS_PREFIX, CORE_PREFIX
from tests.clients.given import cloudtalk_at, kustomer_at
from tests.clients.specs import description, operation_of, parameters_fit, public, requests_of, validator

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
    "conversation_page": lambda k: k.conversation_page(2),
    "notes_of": lambda k: list(k.notes_of(AN_ID)),
    "notes_of_customer": lambda k: list(k.notes_of_customer(AN_ID)),
    "create_note": lambda k: k.create_note(AN_ID, {"externalId": "x:note", "body": "Call"}, note_id=AN_ID),
    "update_note": lambda k: k.update_note(AN_ID, {"externalId": "x:note", "body": "Call"}),
    "users_by_email": lambda k: k.users_by_email("bo.sample@example.com"),
    "attachments.create": lambda k: k.attachments.create(name="call.mp3", content_type="audio/mpeg", size=9),
    "attachments.reference": lambda k: k.attachments.reference(AN_ID),
}
CLOUDTALK_CALLS: dict[str, Callable[[CloudTalk], object]] = {
    "call_detail": lambda c: c.call_detail(1000000110),
    "list_calls": lambda c: list(c.list_calls(external=ADA, since=SINCE, until=SINCE)),
    "call_page": lambda c: c.call_page(2, since=SINCE, until=SINCE),
    "agents": lambda c: c.agents(),
    "recording": lambda c: nullcontext(c.recording(1000000110, start=9).__enter__()),
    "delete_recording": lambda c: c.delete_recording(1000000110),
}


def test_every_request_of_the_clients_is_in_the_tables() -> None:
    # An upload goes to a host that is not Kustomer's, a public link to a page that is no API; what is
    # under `api` is in a table of its own (test_specs_of_all.py).
    attachments = {f"attachments.{name}" for name in public(Attachments) - {"upload"}}
    assert public(Kustomer) - {"api"} | attachments == set(KUSTOMER_CALLS)
    assert public(CloudTalk) - {"public_recording", "api"} == set(CLOUDTALK_CALLS)


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
