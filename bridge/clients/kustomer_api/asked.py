"""What Kustomer is asked for: lists and look-ups, typed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from bridge.clients.kustomer_api.parts import E164, Draft, EmailAddress, ObjectId, Text256
from bridge.clients.shapes import PAGE, Wanted, When, page_field

LARGEST_PAGE = 100
_MOST_USERS = 500


class Listed(Draft):
    page: int = PAGE
    page_size: int = page_field(LARGEST_PAGE, 100)


class ListCustomers(Listed):
    sort: Literal["createdAt", "-createdAt", "updatedAt", "-updatedAt"] | None = Field(
        default=None, description="a minus: newest first"
    )
    created_after: When | None = Field(default=None, alias="filter[createdAt][gte]")
    created_before: When | None = Field(default=None, alias="filter[createdAt][lte]")
    updated_after: When | None = Field(default=None, alias="filter[updatedAt][gte]")
    updated_before: When | None = Field(default=None, alias="filter[updatedAt][lte]")


class ListConversations(Listed):
    customer_id: ObjectId | None = Field(default=None, description="of this customer only")
    sort: Literal["desc"] | None = Field(default=None, description="newest first; not with customer_id")
    since: When | None = Field(default=None, alias="fromDate", description="only with customer_id")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.customer_id is None and self.since is not None:
            raise ValueError("since goes with customer_id only")
        if self.customer_id is not None and self.sort is not None:
            raise ValueError("sort does not go with customer_id")
        return self


class ListCompanies(Listed):
    external_id: Text256 | None = None
    name: Text256 | None = Field(default=None, alias="filter", description="not together with external_id")

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.external_id is not None and self.name is not None:
            raise ValueError("external_id and name cannot be combined: Kustomer then ignores both")
        return self


class ListUsers(Draft):
    """One filter at a time."""

    email: EmailAddress | None = None
    user_type: Literal["user", "machine", "limited"] | None = None
    pending: bool | None = None
    deleted: bool | None = None
    page: int = PAGE
    page_size: int = page_field(_MOST_USERS, 100)

    @model_validator(mode="after")
    def _one_filter(self) -> Self:
        given = [
            name for name in ("email", "user_type", "pending", "deleted") if getattr(self, name) is not None
        ]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} cannot be combined: one filter at a time")
        return self


class ListMessages(Listed):
    conversation_id: ObjectId | None = Field(default=None, description="of this conversation only")
    customer_id: ObjectId | None = Field(default=None, description="of this customer only")
    sort: Literal["asc", "desc"] | None = Field(default=None, description="only for the whole org")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _one_scope(self.conversation_id, self.customer_id, self.sort)
        return self


class ListNotes(ListMessages):
    pass


class CustomerById(Wanted):
    customer_id: ObjectId


class CustomerByEmail(Wanted):
    email: EmailAddress


class CustomerByPhone(Wanted):
    phone: E164


class CustomerByExternalId(Wanted):
    external_id: str = Field(min_length=1, max_length=256)


class ConversationById(Wanted):
    conversation_id: ObjectId


class ConversationByExternalId(Wanted):
    external_id: str = Field(min_length=1, max_length=256)


class CompanyById(Wanted):
    company_id: ObjectId


class UserById(Wanted):
    user_id: ObjectId


class MessageById(Wanted):
    message_id: ObjectId


class NoteById(Wanted):
    note_id: ObjectId


def _one_scope(conversation_id: str | None, customer_id: str | None, sort: str | None) -> None:
    if conversation_id is not None and customer_id is not None:
        raise ValueError("conversation_id and customer_id cannot be combined")
    if sort is not None and (conversation_id is not None or customer_id is not None):
        raise ValueError("sort does not go with conversation_id or customer_id")
