"""Every request that the clients can make, against the services' published descriptions.

These are not part of the project: the folder is named by CALLBRIDGE_SPECS, or lies beside the checkout.
Without it these tests are skipped; the sandbox is as strict, but was written by us.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from uuid import UUID

import pytest

from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.http import Service, make_client
from bridge.clients.kustomer import Customer, Kustomer, new_customer
from bridge.domain.insights import NAMES as INSIGHTS
from bridge.domain.insights import TRANSCRIPT
from bridge.sandbox import AI_PREFIX, ANALYTICS_PREFIX, CORE_PREFIX, PLATFORM_PREFIX
from tests.clients.given import cloudtalk_at, kustomer_at
from tests.clients.specs import description, operation_of, parameters_fit, public, requests_of, validator

ADA = "+441632960304"
A_UUID = UUID("5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11")
AN_ID = "5f0e0000000000000000a1cc"
SINCE = datetime(2026, 3, 2, tzinfo=UTC)
PAGE = {"page": "2", "pageSize": "100"}
KNOWN = Customer(
    id=AN_ID, fields={"rev": 3}, relationships={"company": {"data": {"type": "company", "id": AN_ID}}}
)

KUSTOMER_CALLS: dict[str, Callable[[Kustomer], object]] = {
    "customers.get": lambda k: k.customers.get(AN_ID),
    "customers.by_phone": lambda k: k.customers.by_phone(ADA),
    "customers.all_by_phone": lambda k: k.customers.all_by_phone(ADA),
    "customers.search": lambda k: k.customers.search([{"customer_phone": {"equals": ADA}}]),
    "customers.by_email": lambda k: k.customers.by_email("ada+x@example.com"),
    "customers.by_external_id": lambda k: k.customers.by_external_id("cloudtalk:number:1 2/3"),
    "customers.page": lambda k: k.customers.page(PAGE),
    "customers.create": lambda k: k.customers.create(
        new_customer(phone=ADA, name="Ada", external_id="cloudtalk:x")
    ),
    "customers.update": lambda k: k.customers.update(AN_ID, {"name": "Ada"}, current=KNOWN),
    "conversations.get": lambda k: k.conversations.get(AN_ID),
    "conversations.by_external_id": lambda k: k.conversations.by_external_id("cloudtalk:call:x"),
    "conversations.page": lambda k: k.conversations.page(PAGE, customer_id=AN_ID),
    "conversations.latest": lambda k: k.conversations.latest(2),
    "conversations.create": lambda k: k.conversations.create(
        {
            "customer": AN_ID,
            "externalId": "x",
            "name": "Call",
            "direction": "in",
            "status": "done",
            "tags": ["VIP"],
            "assignedUsers": [AN_ID],
            "assignedTeams": [AN_ID],
        }
    ),
    "conversations.update": lambda k: k.conversations.update(
        AN_ID, {"externalId": "x", "name": "Call", "direction": "out", "status": "open", "tags": ["VIP"]}
    ),
    "companies.get": lambda k: k.companies.get(AN_ID),
    "companies.page": lambda k: k.companies.page(PAGE),
    "companies.create": lambda k: k.companies.create({"name": "Example Ltd"}),
    "users.get": lambda k: k.users.get(AN_ID),
    "users.page": lambda k: k.users.page(PAGE),
    "users.every": lambda k: k.users.every(),
    "users.by_email": lambda k: k.users.by_email("bo.sample@example.com"),
    "messages.get": lambda k: k.messages.get(AN_ID),
    "messages.page": lambda k: k.messages.page(PAGE, conversation_id=AN_ID),
    "messages.every": lambda k: [*k.messages.every(conversation_id=AN_ID)],
    "messages.by_external_id": lambda k: k.messages.by_external_id("cloudtalk:call:x:voice"),
    "messages.update": lambda k: k.messages.update(
        AN_ID, {"externalId": "x:voice", "preview": "Call", "meta": {"from": ADA}, "status": "received"}
    ),
    "messages.create": lambda k: k.messages.create({"channel": "sms", "app": "x"}, conversation_id=AN_ID),
    "notes.get": lambda k: k.notes.get(AN_ID),
    "notes.page": lambda k: k.notes.page(PAGE),
    "notes.every": lambda k: [*k.notes.every(conversation_id=AN_ID), *k.notes.every(customer_id=AN_ID)],
    "notes.create": lambda k: k.notes.create(AN_ID, {"externalId": "x:note", "body": "Call", "id": AN_ID}),
    "notes.update": lambda k: k.notes.update(AN_ID, {"externalId": "x:note", "body": "Call"}),
    "custom_objects.by_external_id": lambda k: k.custom_objects.by_external_id("call", "cloudtalk:call:x"),
    "custom_objects.has_class": lambda k: k.custom_objects.has_class("call"),
    "custom_objects.create": lambda k: k.custom_objects.create(
        "call", AN_ID, {"externalId": "x:klass", "title": "Call", "custom": {"callTalkSecondsNum": 9}}
    ),
    "custom_objects.update": lambda k: k.custom_objects.update(
        "call", AN_ID, {"title": "Call", "description": "", "custom": {"callAgentStr": None}}
    ),
    "attachments.create": lambda k: k.attachments.create(name="call.mp3", content_type="audio/mpeg", size=9),
    "attachments.reference": lambda k: k.attachments.reference(AN_ID),
}
CLOUDTALK_CALLS: dict[str, Callable[[CloudTalk], object]] = {
    "calls.detail": lambda c: c.calls.detail(1000000110),
    "calls.page": lambda c: c.calls.page({"limit": "1"}),
    "calls.between": lambda c: c.calls.between(2, since=SINCE, until=SINCE),
    "calls.all_between": lambda c: list(c.calls.all_between(external=ADA, since=SINCE, until=SINCE)),
    "agents.page": lambda c: c.agents.page({"limit": "1"}),
    "agents.all": lambda c: c.agents.all(),
    "contacts.page": lambda c: c.contacts.page({"limit": "1"}),
    "contacts.get": lambda c: c.contacts.get(7),
    "contacts.create": lambda c: c.contacts.create({"name": "Ada Example"}),
    "contacts.update": lambda c: c.contacts.update(7, {"name": "Ada Example"}),
    "contacts.delete": lambda c: c.contacts.delete(7),
    "contacts.add_tags": lambda c: c.contacts.add_tags(7, {"tags": ["VIP"]}),
    "cue_cards.show": lambda c: c.cue_cards.show(A_UUID, title="Ada Example", content="<p>Knows us</p>"),
    "insights.get": lambda c: [c.insights.get(1000000110, name) for name in INSIGHTS if name != TRANSCRIPT],
    "insights.transcript": lambda c: c.insights.transcript(1000000110),
    "messages.send_sms": lambda c: c.messages.send_sms({"recipient": ADA, "sender": ADA, "message": "Hello"}),
    "recordings.get": lambda c: nullcontext(c.recordings.get(1000000110, start=9).__enter__()),
    "recordings.delete": lambda c: c.recordings.delete(1000000110),
}


def methods(client: CloudTalk | Kustomer) -> set[str]:
    """Such as `contacts.get`: the public methods of each topic."""
    topics = {
        name: topic
        for name, topic in vars(client).items()
        if type(topic).__module__.startswith("bridge.clients.") and not isinstance(topic, Service)
    }
    return {f"{name}.{method}" for name, topic in topics.items() for method in public(type(topic))}


def test_every_request_of_the_clients_is_in_the_tables() -> None:
    # An upload goes to a host that is not Kustomer's, a public link to a page that is no API. The published
    # description has no teams and no bulk requests, which the documentation names; without a backlog what is
    # created in a batch is a create.
    bulk = {f"bulk.{name}" for name in ("submit", "results", "delete_customers")}
    batched = {f"{kind}.create_in_batch" for kind in ("customers", "conversations", "notes")}
    with make_client() as http:
        kustomer, cloudtalk = kustomer_at("https://k.example", http), cloudtalk_at("https://c.example", http)
        others = {"attachments.upload", "teams.every"} | bulk | batched
        assert methods(kustomer) - others == set(KUSTOMER_CALLS)
        assert methods(cloudtalk) - {"recordings.public"} == set(CLOUDTALK_CALLS)


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
        prefix = ANALYTICS_PREFIX if name == "calls.detail" else CORE_PREFIX
        prefix = {"insights": AI_PREFIX, "cue_cards": PLATFORM_PREFIX}.get(name.partition(".")[0], prefix)
        parameters_fit(spec, operation_of(spec, request, prefix), request)


def test_a_property_that_is_not_described_would_be_noticed() -> None:
    spec = description("kustomer-openapi.json")

    (request,) = requests_of(
        lambda client: kustomer_at("https://kustomer.example", client).notes.update(AN_ID, {"status": "x"})
    )

    schema = operation_of(spec, request)["requestBody"]["content"]["application/json"]["schema"]
    wrong = [error.message for error in validator(spec, schema).iter_errors(json.loads(request.content))]
    assert len(wrong) == 1
    assert "Additional properties" in wrong[0]
