"""Kustomer's published limits, in the sandbox that refuses and in the drafts that ask before.

Both are ours; where the published description lies beside the checkout, they are compared with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from bridge.clients.kustomer import fields, requests
from bridge.sandbox.kustomer import message_schemas as messages
from bridge.sandbox.kustomer import schemas as schemas
from tests.clients.specs import description

SANDBOX: Mapping[str, TypeAdapter[Any]] = {
    "CustomerCreate": schemas.CUSTOMER,
    "CustomerUpdate": schemas.CUSTOMER,
    "ConversationCreate": schemas.CONVERSATION,
    "ConversationCreateForCustomer": schemas.CONVERSATION_IN_CUSTOMER,
    "ConversationAttributesUpdate": schemas.CONVERSATION_UPDATE,
    "NoteCreateInConversation": schemas.NOTE,
    "NoteUpdate": schemas.NOTE_UPDATE,
    "MessageCreate": messages.LOOSE_MESSAGE,
    "MessageCreateInConversation": messages.MESSAGE,
    "MessageUpdate": messages.MESSAGE_UPDATE,
    "CompanyCreate": messages.COMPANY,
}
DRAFTS: Mapping[str, type[fields.Draft]] = {
    "CustomerCreate": requests.CreateCustomer,
    "CustomerUpdate": requests.UpdateCustomer,
    "ConversationCreate": requests.CreateConversation,
    "ConversationAttributesUpdate": requests.UpdateConversation,
    "NoteCreateInConversation": requests.CreateNote,
    "MessageCreate": requests.CreateMessage,
    "CompanyCreate": requests.CreateCompany,
    "Email": fields.EmailPart,
    "Phone": fields.PhonePart,
    "WhatsappPhone": fields.WhatsappPart,
    "ExternalIdEntry": fields.ExternalIdPart,
    "Social": fields.SocialPart,
    "WebUrl": fields.UrlPart,
    "Location": fields.LocationPart,
    "QueueRef": fields.QueuePart,
    "AttachmentRef": fields.AttachmentPart,
}
LIMITS = ("maxItems", "uniqueItems", "maxProperties", "maxLength")


class Schema:
    """One JSON Schema with what its references lead to."""

    def __init__(self, schema: Mapping[str, Any], named: Mapping[str, Any]) -> None:
        self._named = named
        while "$ref" in schema:
            schema = named[str(schema["$ref"]).rpartition("/")[2]] | {
                name: value for name, value in schema.items() if name != "$ref"
            }
        self.schema = schema

    def choices(self) -> Iterator[Schema]:
        yield self
        for key in ("anyOf", "oneOf", "allOf"):
            for one in self.schema.get(key, []):
                yield from Schema(one, self._named).choices()

    def properties(self) -> dict[str, Schema]:
        return {
            name: Schema(field, self._named)
            for choice in self.choices()
            for name, field in choice.schema.get("properties", {}).items()
        }

    @property
    def takes_null(self) -> bool:
        kinds = [choice.schema.get("type") for choice in self.choices()]
        return any(kind == "null" or (isinstance(kind, list) and "null" in kind) for kind in kinds)

    @property
    def limits(self) -> dict[str, Any]:
        return {
            name: choice.schema[name] for choice in self.choices() for name in LIMITS if name in choice.schema
        }


def published(name: str) -> dict[str, Schema]:
    named = description("kustomer-openapi.json")["components"]["schemas"]
    return Schema(named[name], named).properties()


def of_type(kind: TypeAdapter[Any] | type[BaseModel]) -> dict[str, Schema]:
    schema = kind.json_schema() if isinstance(kind, TypeAdapter) else kind.model_json_schema(by_alias=True)
    return Schema(schema, schema.get("$defs", {})).properties()


@pytest.mark.parametrize("name", SANDBOX)
def test_the_sandbox_refuses_what_is_over_the_published_limits(name: str) -> None:
    theirs, ours = published(name), of_type(SANDBOX[name])

    assert ours.keys() == theirs.keys()
    for field, schema in theirs.items():
        assert ours[field].takes_null == schema.takes_null, field
        # Ours may be stricter: tags at most 20 in updates, too.
        assert schema.limits.items() <= ours[field].limits.items(), field


@pytest.mark.parametrize("name", DRAFTS)
def test_drafts_ask_for_no_more_than_is_published(name: str) -> None:
    theirs, kind = published(name), DRAFTS[name]

    for field, schema in of_type(kind).items():
        if field not in theirs:
            assert field in ("conversationId", "customerId", "customer"), "a field that we put into the path"
            continue
        # The id formats have a length of their own.
        limits = {limit: value for limit, value in theirs[field].limits.items() if limit != "maxLength"}
        assert limits.items() <= schema.limits.items(), field


@pytest.mark.parametrize("name", DRAFTS)
def test_drafts_know_where_null_is_taken(name: str) -> None:
    theirs, kind = published(name), DRAFTS[name]

    aliases = {info.alias or field: field for field, info in kind.model_fields.items()}
    assert kind.nullable == {
        aliases[field] for field, schema in theirs.items() if field in aliases and schema.takes_null
    }
