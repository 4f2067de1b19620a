"""What is written to Kustomer, typed.

Unknown properties are refused by Kustomer; a list that is sent is taken to replace the stored one (it is
documented so for tags only). A field that is left out is not sent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from bridge.clients.kustomer_api.parts import (
    AttachmentPart,
    Custom,
    DomainPart,
    Draft,
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
from bridge.clients.shapes import When

Body = Annotated[str, Field(min_length=1, max_length=10_240)]
Priority = Annotated[int, Field(ge=1, le=5)]
Revision = Annotated[
    float, Field(description="of the version that was read; Kustomer refuses (409) if there is a newer one")
]
Lang = Annotated[str, Field(max_length=100)]


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
                "customer_id moves the conversation and cannot go with other fields: send it alone"
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
            raise ValueError("direction is needed where neither conversation_id nor customer_id is given")
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
