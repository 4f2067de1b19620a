"""What Kustomer is asked for and sent by actions, typed: lists, look-ups, writes.

Unknown properties are refused by Kustomer; a list that is sent is taken to replace the stored one (it is
documented so for tags only). A field that is left out is not sent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from bridge.clients.kustomer.fields import (
    E164,
    AttachmentPart,
    Custom,
    DomainPart,
    Draft,
    EmailAddress,
    EmailPart,
    ExternalIdPart,
    ImportedAt,
    LocationPart,
    MentionPart,
    ObjectId,
    PhonePart,
    QueuePart,
    SnoozePart,
    SocialPart,
    TagName,
    Text256,
    Unique,
    UpToTen,
    UpToTwenty,
    Url,
    UrlPart,
    WhatsappPart,
)
from bridge.clients.shapes import PAGE, RequestModel, When, page_field

LARGEST_PAGE = 100
_MOST_USERS = 500
Body = Annotated[str, Field(min_length=1, max_length=10_240)]
Priority = Annotated[int, Field(ge=1, le=5)]
Revision = Annotated[
    float, Field(description="of the version that was read; Kustomer refuses (409) if there is a newer one")
]
Lang = Annotated[str, Field(max_length=100)]


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
            raise ValueError("since needs customer_id")
        if self.customer_id is not None and self.sort is not None:
            raise ValueError("sort cannot be combined with customer_id")
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


class CustomerById(RequestModel):
    customer_id: ObjectId


class CustomerByEmail(RequestModel):
    email: EmailAddress


class CustomerByPhone(RequestModel):
    phone: E164


class CustomerByExternalId(RequestModel):
    external_id: str = Field(min_length=1, max_length=256)


class ConversationById(RequestModel):
    conversation_id: ObjectId


class ConversationByExternalId(RequestModel):
    external_id: str = Field(min_length=1, max_length=256)


class CompanyById(RequestModel):
    company_id: ObjectId


class UserById(RequestModel):
    user_id: ObjectId


class MessageById(RequestModel):
    message_id: ObjectId


class NoteById(RequestModel):
    note_id: ObjectId


def _one_scope(conversation_id: str | None, customer_id: str | None, sort: str | None) -> None:
    if conversation_id is not None and customer_id is not None:
        raise ValueError("conversation_id and customer_id cannot be combined")
    if sort is not None and (conversation_id is not None or customer_id is not None):
        raise ValueError("sort cannot be combined with conversation_id or customer_id")


class CustomerFields(Draft):
    nullable = frozenset(
        {
            "name", "external_id", "username", "company_id", "locale", "time_zone", "default_lang", "gender",
            "birthday_at", "signed_up_at", "avatar_url",
        }
    )  # fmt: skip

    name: Text256 | None = None
    external_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    username: Text256 | None = None
    company_id: ObjectId | None = Field(default=None, alias="company")
    emails: UpToTen[EmailPart] | None = Field(default=None, description="unique in the org")
    phones: UpToTen[PhonePart] | None = Field(default=None, description="unique in the org")
    whatsapps: UpToTen[WhatsappPart] | None = None
    external_ids: UpToTen[ExternalIdPart] | None = Field(default=None, description="unique in the org")
    shared_emails: UpToTen[EmailPart] | None = Field(default=None, description="of several people")
    shared_phones: UpToTen[PhonePart] | None = Field(
        default=None, description="of several people, a switchboard"
    )
    socials: UpToTen[SocialPart] | None = None
    urls: UpToTen[UrlPart] | None = None
    locations: UpToTen[LocationPart] | None = None
    locale: Annotated[str, Field(max_length=16)] | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None
    default_lang: Lang | None = None
    gender: Literal["m", "f"] | None = None
    birthday_at: When | None = None
    signed_up_at: When | None = None
    avatar_url: Url | None = None
    tags: UpToTwenty[TagName] | None = None
    custom: Custom | None = None


class CreateCustomer(CustomerFields):
    imported_at: ImportedAt | None = None


class UpdateCustomer(CustomerFields):
    updates = True

    customer_id: ObjectId
    company_id: ObjectId | None = Field(
        default=None, alias="company", description="null unlinks; left out, the present one is kept"
    )
    rev: Revision | None = None


class ConversationFields(Draft):
    nullable = frozenset({"reply_channel", "default_lang"})

    external_id: Text256 | None = Field(default=None, description="repeats may or may not be refused")
    name: Text256 | None = None
    direction: Literal["in", "out"] | None = None
    priority: Priority | None = None
    reply_channel: Text256 | None = None
    assigned_users: UpToTen[ObjectId] | None = None
    assigned_teams: UpToTen[ObjectId] | None = None
    tags: UpToTwenty[TagName] | None = None
    queue: QueuePart | None = None
    default_lang: Lang | None = None
    custom: Custom | None = None


class CreateConversation(ConversationFields):
    customer_id: ObjectId = Field(alias="customer")
    id: ObjectId | None = Field(
        default=None, description="one of your choice; repeats may or may not be refused"
    )
    status: Literal["open", "done"] | None = None
    created_at: When | None = None
    imported_at: ImportedAt | None = None


class UpdateConversation(ConversationFields):
    """`customer_id` moves it to another customer, and then has to be the only field."""

    nullable = frozenset({"external_id", "name", "reply_channel", "deleted", "default_lang"})
    updates = True

    conversation_id: ObjectId
    customer_id: ObjectId | None = Field(
        default=None, alias="customer", description="moves it; send nothing else"
    )
    status: Literal["open", "snoozed", "done"] | None = None
    snooze: SnoozePart | None = None
    sub_status: ObjectId | None = None
    ended: bool | None = None
    ended_at: When | None = None
    ended_reason: Annotated[str, Field(max_length=128)] | None = None
    ended_by: ObjectId | None = None
    ended_by_type: Literal["user", "customer"] | None = None
    locked: bool | None = Field(default=None, description="true stops further changes")
    deleted: bool | None = None
    rev: Revision | None = None

    @model_validator(mode="after")
    def _moves_alone(self) -> Self:
        if "customer_id" in self.model_fields_set and len(self.model_fields_set) > 2:
            raise ValueError(
                "customer_id moves the conversation and cannot be combined with other fields; send it alone"
            )
        return self


class CreateCompany(Draft):
    nullable = frozenset({"avatar_url", "default_lang"})

    name: Annotated[str, Field(min_length=3, max_length=256)]
    external_id: Text256 | None = None
    emails: UpToTen[EmailPart] | None = None
    phones: UpToTen[PhonePart] | None = None
    whatsapps: UpToTen[WhatsappPart] | None = None
    domains: UpToTen[DomainPart] | None = None
    socials: UpToTen[SocialPart] | None = None
    urls: UpToTen[UrlPart] | None = None
    locations: UpToTen[LocationPart] | None = None
    employee_count: int | None = Field(default=None, ge=0)
    avatar_url: Url | None = None
    default_lang: Lang | None = None
    tags: UpToTwenty[TagName] | None = None
    custom: Custom | None = None
    created_at: When | None = None
    imported_at: ImportedAt | None = None


class CreateMessage(Draft):
    """A record of a message: Kustomer delivers nothing.

    In a conversation; or of a customer (which makes a conversation); or, with neither, wherever Kustomer's
    own rules put it, which then wants a direction.
    """

    nullable = frozenset({"lang"})

    conversation_id: ObjectId | None = Field(default=None, alias="conversation")
    customer_id: ObjectId | None = Field(default=None, alias="customer")
    channel: Literal[
        "email", "sms", "chat", "facebook", "twitter-dm", "twitter-tweet", "voice", "instagram", "whatsapp"
    ]
    app: Annotated[str, Field(min_length=1)] = Field(description="name of what writes it; keep it the same")
    direction: Literal["in", "out"] | None = Field(
        default=None, description="needed without a conversation or customer"
    )
    preview: Annotated[str, Field(max_length=10_240)] | None = Field(
        default=None, description="the visible text"
    )
    subject: Text256 | None = None
    id: ObjectId | None = Field(
        default=None, description="one of your choice; repeats may or may not be refused"
    )
    external_id: Text256 | None = None
    status: Literal["sent", "received", "error"] | None = None
    size: int | None = Field(default=None, ge=0)
    sent_at: When | None = None
    auto: bool | None = Field(default=None, description="true leaves it out of reports")
    meta: Annotated[dict[str, Any], Field(max_length=100)] | None = Field(
        default=None, description="free; for channel voice not documented"
    )
    attachments: Unique[AttachmentPart] | None = None
    related: str | None = None
    lang: Lang | None = None
    custom: Custom | None = None
    imported_at: ImportedAt | None = None

    @model_validator(mode="after")
    def _has_a_direction(self) -> Self:
        if self.conversation_id is None and self.customer_id is None and self.direction is None:
            raise ValueError("direction is required without conversation_id and customer_id")
        return self


class CreateNote(Draft):
    """An internal note, which customers never see."""

    nullable = frozenset({"lang"})

    conversation_id: ObjectId
    body: Body = Field(description="plain text, 1 to 10240 characters")
    id: ObjectId | None = Field(
        default=None, description="one of your choice; repeats may or may not be refused"
    )
    external_id: Text256 | None = None
    user_mentions: Annotated[list[MentionPart], Field(max_length=20)] | None = None
    attachments: Unique[AttachmentPart] | None = None
    lang: Lang | None = None
    imported_at: ImportedAt | None = None
