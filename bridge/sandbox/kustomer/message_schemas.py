"""What Kustomer takes in the body of a message and of a company: its published request schemas."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Field, StringConstraints, TypeAdapter, with_config
from typing_extensions import TypedDict

from bridge.sandbox.kustomer.schemas import (
    STRICT,
    AttachmentRef,
    Custom,
    DateTime,
    Email,
    Location,
    ObjectId,
    Phone,
    QueueRef,
    Sentiment,
    Social,
    TagName,
    Text100,
    Text256,
    Unique,
    UpToTen,
    UpToTwenty,
    Url,
    WebUrl,
    WhatsappPhone,
)

Preview = Annotated[str, StringConstraints(max_length=10240)]
Channel = Literal[
    "email", "sms", "chat", "facebook", "twitter-dm", "twitter-tweet", "voice", "instagram", "whatsapp"
]
Direction = Literal["in", "out"]
Status = Literal["sent", "received", "error"]


@with_config(STRICT)
class Reference(TypedDict):
    message: ObjectId
    type: Literal["reply", "replyAll", "forward"]


@with_config(STRICT)
class MessageError(TypedDict, total=False):
    status: float
    code: str
    title: str
    detail: str
    source: dict[str, Any]
    meta: dict[str, Any]
    links: dict[str, Any]


@with_config(STRICT)
class MessageBody(TypedDict, total=False):
    """In a conversation or of a customer. `directionType` is read-only, and so no property here."""

    id: ObjectId
    externalId: Text256
    customer: ObjectId
    conversation: ObjectId
    reference: Reference
    channel: Required[Channel]
    app: Required[str]
    direction: Direction
    preview: Preview
    subject: Text256
    size: float
    related: str
    status: Status
    error: MessageError
    errorAt: DateTime
    auto: bool
    sentAt: DateTime
    source: Literal["bulk", "satisfaction"]
    shortcuts: list[ObjectId]
    kbArticles: list[ObjectId]
    attachments: list[AttachmentRef] | list[ObjectId]
    location: dict[str, Any]
    meta: Annotated[dict[str, Any], Field(max_length=100)]
    custom: Custom
    sentiment: Sentiment
    createdAt: DateTime
    modifiedAt: DateTime
    createdBy: ObjectId
    modifiedBy: ObjectId
    importedAt: DateTime
    lang: Text100 | None
    queue: QueueRef


class LooseMessage(MessageBody, total=False):
    """Of neither: the direction is needed then."""

    direction: Required[Direction]  # type: ignore[misc]


@with_config(STRICT)
class MessageUpdate(TypedDict, total=False):
    """Documented: channel, app, direction, auto and customer stay as they were created."""

    conversation: str
    externalId: Text256 | None
    preview: Preview | None
    subject: Text256 | None
    status: Status
    error: MessageError
    errorAt: DateTime
    sentAt: DateTime | None
    size: float
    attachments: Unique[AttachmentRef]
    meta: Annotated[dict[str, Any], Field(max_length=100)]
    custom: Custom
    related: str
    sentiment: Sentiment
    createdAt: DateTime
    modifiedAt: DateTime
    updatedAt: DateTime
    createdBy: ObjectId
    modifiedBy: ObjectId | None
    lang: Text100 | None


@with_config(STRICT)
class Domain(TypedDict):
    domain: str


@with_config(STRICT)
class CompanyBody(TypedDict, total=False):
    name: Required[Annotated[str, StringConstraints(min_length=3, max_length=256)]]
    externalId: Text256
    avatarUrl: Url | None
    emails: UpToTen[Email]
    phones: UpToTen[Phone]
    whatsapps: UpToTen[WhatsappPhone]
    socials: UpToTen[Social]
    urls: UpToTen[WebUrl]
    domains: UpToTen[Domain]
    locations: UpToTen[Location]
    employeeCount: Annotated[float, Field(ge=0)]
    tags: UpToTwenty[TagName]
    createdAt: DateTime
    importedAt: DateTime
    rev: float
    custom: Custom
    defaultLang: Text100 | None


MESSAGE: TypeAdapter[MessageBody] = TypeAdapter(MessageBody)
LOOSE_MESSAGE: TypeAdapter[LooseMessage] = TypeAdapter(LooseMessage)
MESSAGE_UPDATE: TypeAdapter[MessageUpdate] = TypeAdapter(MessageUpdate)
COMPANY: TypeAdapter[CompanyBody] = TypeAdapter(CompanyBody)
