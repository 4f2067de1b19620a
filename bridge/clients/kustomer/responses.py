"""What actions show of Kustomer's resources, typed.

Attributes by our names, ids of what it belongs to, and the rest in `extra`.
"""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from bridge.clients.kustomer.resources import Resource
from bridge.clients.shapes import Decimal, Flag, Moment, ResponseModel, SureText, Text, Whole

# A field of ours -> the relation that tells it.
_BELONGS = {
    "customer_id": "customer",
    "conversation_id": "conversation",
    "company_id": "company",
    "created_by_id": "createdBy",
}


class ResourceModel(ResponseModel):
    """One of Kustomer's resources. `extra` has attributes without a name of ours; `related` all relations."""

    model_config = ConfigDict(alias_generator=to_camel)

    id: SureText = Field(description="24 hex digits")
    created_at: Moment = None
    updated_at: Moment = None
    rev: Decimal = Field(default=None, description="its version, for a safe update")
    related: dict[str, str | list[str]] = Field(
        default_factory=dict, description="ids of what it is related to, by Kustomer's names"
    )

    @classmethod
    def of(cls, found: Resource) -> Self:
        related = found.related
        known = {
            name: related[theirs]
            for name, theirs in _BELONGS.items()
            if name in cls.model_fields and theirs in related
        }
        return cls.read(found.fields, **known, id=found.id, related=related)


class Customer(ResourceModel):
    name: Text = None
    display_name: Text = None
    external_id: Text = None
    username: Text = None
    company_id: Text = None
    emails: list[dict[str, Any]] = Field(default_factory=list, description="email, type, verified")
    phones: list[dict[str, Any]] = Field(default_factory=list, description="phone (E.164), type, verified")
    shared_emails: list[dict[str, Any]] = Field(default_factory=list)
    shared_phones: list[dict[str, Any]] = Field(default_factory=list)
    external_ids: list[dict[str, Any]] = Field(default_factory=list, description="externalId, verified")
    locations: list[dict[str, Any]] = Field(default_factory=list)
    locale: Text = None
    time_zone: Text = None
    tags: list[str] = Field(default_factory=list, description="ids, not names")
    custom: dict[str, Any] = Field(default_factory=dict, description="custom attributes")
    last_activity_at: Moment = None
    deleted: Flag = None


class Conversation(ResourceModel):
    customer_id: Text = None
    name: Text = None
    external_id: Text = None
    status: Text = Field(default=None, description="open, snoozed or done")
    direction: Text = Field(default=None, description="in or out")
    priority: Whole = None
    channels: list[str] = Field(default_factory=list)
    assigned_users: list[str] = Field(default_factory=list, description="ids")
    assigned_teams: list[str] = Field(default_factory=list, description="ids")
    tags: list[str] = Field(default_factory=list, description="ids, not names")
    message_count: Whole = None
    note_count: Whole = None
    custom: dict[str, Any] = Field(default_factory=dict, description="custom attributes")
    ended: Flag = None
    ended_at: Moment = None


class Company(ResourceModel):
    name: Text = None
    external_id: Text = None
    emails: list[dict[str, Any]] = Field(default_factory=list)
    phones: list[dict[str, Any]] = Field(default_factory=list)
    domains: list[dict[str, Any]] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list, description="ids, not names")
    custom: dict[str, Any] = Field(default_factory=dict, description="custom attributes")


class User(ResourceModel):
    name: Text = None
    display_name: Text = None
    email: Text = None
    mobile: Text = None
    user_type: Text = Field(default=None, description="user, machine or limited")
    roles: list[str] = Field(default_factory=list)


class Message(ResourceModel):
    customer_id: Text = None
    conversation_id: Text = None
    created_by_id: Text = None
    external_id: Text = None
    channel: Text = None
    app: Text = None
    direction: Text = Field(default=None, description="in or out")
    preview: Text = Field(default=None, description="the visible text")
    subject: Text = None
    status: Text = Field(default=None, description="sent, received or error")
    sent_at: Moment = None
    auto: Flag = None
    meta: dict[str, Any] = Field(default_factory=dict, description="free, as whoever wrote it liked")
    custom: dict[str, Any] = Field(default_factory=dict, description="custom attributes")


class Note(ResourceModel):
    customer_id: Text = None
    conversation_id: Text = None
    created_by_id: Text = None
    external_id: Text = None
    body: Text = None
