"""What Kustomer tells, typed: attributes by our names, ids of what it belongs to, and the rest in `extra`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from bridge.clients.shapes import Decimal, Flag, Moment, Shown, SureText, Text, Whole
from bridge.errors import Unavailable

# A field of ours -> the relation that tells it.
_BELONGS = {
    "customer_id": "customer",
    "conversation_id": "conversation",
    "company_id": "company",
    "created_by_id": "createdBy",
}


class Resource(Shown):
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
    def of(cls, operation: str, data: Any) -> Self:
        """Read `data` of an answer.

        Raises:
            Unavailable: it is no resource.
        """
        attributes = data.get("attributes") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(data.get("id"), str):
            raise Unavailable(f"kustomer answered {operation} without a resource")
        related = _related(data.get("relationships"))
        known = {
            name: related[theirs]
            for name, theirs in _BELONGS.items()
            if name in cls.model_fields and theirs in related
        }
        told = attributes if isinstance(attributes, dict) else {}
        return cls.read(told, **known, id=data["id"], related=related)


class Customer(Resource):
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


class Conversation(Resource):
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


class Company(Resource):
    name: Text = None
    external_id: Text = None
    emails: list[dict[str, Any]] = Field(default_factory=list)
    phones: list[dict[str, Any]] = Field(default_factory=list)
    domains: list[dict[str, Any]] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list, description="ids, not names")
    custom: dict[str, Any] = Field(default_factory=dict, description="custom attributes")


class User(Resource):
    name: Text = None
    display_name: Text = None
    email: Text = None
    mobile: Text = None
    user_type: Text = Field(default=None, description="user, machine or limited")
    roles: list[str] = Field(default_factory=list)


class Message(Resource):
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


class Note(Resource):
    customer_id: Text = None
    conversation_id: Text = None
    created_by_id: Text = None
    external_id: Text = None
    body: Text = None


def _related(relationships: Any) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for name, told in relationships.items() if isinstance(relationships, Mapping) else ():
        data = told.get("data") if isinstance(told, Mapping) else None
        if isinstance(data, Mapping) and isinstance(data.get("id"), str):
            found[name] = data["id"]
        elif isinstance(data, list):
            found[name] = [
                one["id"] for one in data if isinstance(one, Mapping) and isinstance(one.get("id"), str)
            ]
    return found
