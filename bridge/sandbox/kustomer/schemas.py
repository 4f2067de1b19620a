"""What Kustomer takes in a body: its published request schemas, each property and limit.

Unknown properties are refused by all of them. An optional property that is left out stays out of the
validated body, so that "not sent" and "sent as null" remain two things.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Required, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, with_config
from typing_extensions import TypedDict

T = TypeVar("T")
STRICT = ConfigDict(extra="forbid", strict=True)


def _date_time(value: str) -> str:
    if "T" not in value or datetime.fromisoformat(value).tzinfo is None:
        raise ValueError("not a date-time with an offset")
    return value


def _custom(value: dict[str, Any]) -> dict[str, Any]:
    # The end of an attribute's name is its type.
    for name, entry in value.items():
        if entry is None:
            continue
        if name.endswith("Num"):
            right = isinstance(entry, int | float) and not isinstance(entry, bool)
        elif name.endswith("Bool"):
            right = isinstance(entry, bool)
        elif name.endswith(("Str", "Txt")):
            right = isinstance(entry, str) and len(entry) <= 1024
        elif name.endswith("At"):
            right = isinstance(entry, str) and bool(_date_time(entry))
        else:
            right = not name.endswith("Url") or isinstance(entry, str)
        if not right:
            raise ValueError(f"wrong type or length of {name}")
    return value


ObjectId = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{24}$")]
TagName = Annotated[str, StringConstraints(pattern=r"^[0-9a-zA-ZÀ-ÿ_/<>.\-][0-9a-zA-ZÀ-ÿ _/<>.\-]{0,63}$")]
DateTime = Annotated[str, AfterValidator(_date_time)]
Url = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")]
# Published as format phone-number; how it treats other spellings is not known, so none passes here.
PhoneNumber = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{4,15}$")]
EmailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=256)]
Text16 = Annotated[str, StringConstraints(max_length=16)]
Text64 = Annotated[str, StringConstraints(max_length=64)]
Text100 = Annotated[str, StringConstraints(max_length=100)]
Text128 = Annotated[str, StringConstraints(max_length=128)]
Text256 = Annotated[str, StringConstraints(max_length=256)]
SomeText256 = Annotated[str, StringConstraints(min_length=1, max_length=256)]
NoteBody = Annotated[str, StringConstraints(min_length=1, max_length=10240)]
Priority = Annotated[int, Field(ge=1, le=5)]
Custom = Annotated[dict[str, Any], Field(max_length=100), AfterValidator(_custom)]
SomeText = Annotated[str, StringConstraints(min_length=1)]
ByteCount = Annotated[int, Field(ge=0)]


def _unique(items: list[T]) -> list[T]:
    if any(item in items[:at] for at, item in enumerate(items)):
        raise ValueError("the items are not unique")
    return items


_UNIQUE = (AfterValidator(_unique), Field(json_schema_extra={"uniqueItems": True}))
# Published for nearly every list of contact data, tags and people.
Unique = Annotated[list[T], *_UNIQUE]
UpToTen = Annotated[list[T], Field(max_length=10), *_UNIQUE]
UpToTwenty = Annotated[list[T], Field(max_length=20), *_UNIQUE]


@with_config(STRICT)
class Email(TypedDict, total=False):
    type: Literal["home", "work", "other"]
    email: Required[EmailAddress]
    verified: bool


@with_config(STRICT)
class Phone(TypedDict, total=False):
    type: Literal["mobile", "home", "work", "fax", "other"]
    phone: Required[PhoneNumber]
    verified: bool


@with_config(STRICT)
class WhatsappPhone(TypedDict, total=False):
    type: Literal["mobile"]
    phone: Required[Annotated[str, StringConstraints(pattern=r"^(whatsapp:)?\+?[0-9]{4,15}$")]]
    verified: bool


@with_config(STRICT)
class ExternalIdEntry(TypedDict, total=False):
    externalId: Required[Annotated[str, StringConstraints(min_length=1, max_length=255)]]
    verified: bool


@with_config(STRICT)
class Social(TypedDict, total=False):
    type: Required[Literal["twitter", "facebook", "instagram", "linkedin", "pinterest"]]
    userid: Text256
    username: Required[SomeText256]
    url: Url
    verified: bool


@with_config(STRICT)
class WebUrl(TypedDict, total=False):
    type: Literal["website", "blog", "other"]
    url: Required[str]


@with_config(STRICT)
class Location(TypedDict, total=False):
    type: Literal["home", "work", "other"] | None
    name: str | None
    address: Text256 | None
    address2: Text256 | None
    address3: Text256 | None
    countryName: Text64 | None
    regionCode: Annotated[str, StringConstraints(max_length=2)] | None
    regionName: Text128 | None
    cityName: Text128 | None
    zipCode: Annotated[str, StringConstraints(max_length=30)] | None
    areaCode: Annotated[str, StringConstraints(max_length=30)] | None
    countryCode: Annotated[str, StringConstraints(min_length=2, max_length=2)] | None
    latitude: float | None
    longitude: float | None


@with_config(STRICT)
class Sentiment(TypedDict):
    polarity: Literal[-1, 0, 1]
    confidence: Annotated[float, Field(ge=-1, le=1)]


@with_config(STRICT)
class QueueFields(TypedDict, total=False):
    id: str | None
    external: Literal["amazon-connect"] | None


def _names_a_queue(value: QueueFields) -> QueueFields:
    if not value:
        raise ValueError("id or external is required")
    return value


QueueRef = Annotated[QueueFields, AfterValidator(_names_a_queue)]


@with_config(STRICT)
class AttachmentRef(TypedDict, total=False):
    _id: Required[ObjectId]
    name: Required[str]
    contentType: Required[str]
    contentLength: Required[float]
    sourceId: ObjectId


@with_config(STRICT)
class CustomerBody(TypedDict, total=False):
    """Create and update alike: no property is required."""

    name: Text256 | None
    company: str | None
    externalId: SomeText256 | None
    username: Text256 | None
    signedUpAt: DateTime | None
    lastActivityAt: DateTime | None
    lastCustomerActivityAt: DateTime | None
    lastSeenAt: DateTime | None
    avatarUrl: Url | None
    externalIds: UpToTen[ExternalIdEntry]
    sharedExternalIds: UpToTen[ExternalIdEntry]
    emails: UpToTen[Email]
    sharedEmails: UpToTen[Email]
    phones: UpToTen[Phone]
    sharedPhones: UpToTen[Phone]
    whatsapps: UpToTen[WhatsappPhone]
    facebookIds: UpToTen[dict[str, Any]]
    instagramIds: UpToTen[dict[str, Any]]
    socials: UpToTen[Social]
    sharedSocials: UpToTen[Social]
    urls: UpToTen[WebUrl]
    locations: UpToTen[Location]
    locale: Text16 | None
    timeZone: Text64 | None
    tags: UpToTwenty[TagName]
    sentiment: Sentiment
    custom: Custom
    birthdayAt: DateTime | None
    gender: Literal["m", "f", "o", "p"] | None
    createdAt: DateTime
    importedAt: DateTime
    rev: float
    defaultLang: Text100 | None


@with_config(STRICT)
class ConversationInCustomer(TypedDict, total=False):
    id: ObjectId
    campaign: ObjectId
    externalId: Text256
    name: Text256
    status: Literal["open", "done"]  # snoozed comes with an update only
    priority: Priority
    createdAt: DateTime
    importedAt: DateTime
    direction: Literal["in", "out"]
    replyChannel: Text256 | None
    tags: UpToTwenty[TagName]
    assignedUsers: UpToTen[ObjectId]
    assignedTeams: UpToTen[ObjectId]
    custom: Custom
    defaultLang: Text100 | None
    queue: QueueRef


@with_config(STRICT)
class ConversationCreate(TypedDict, total=False):
    id: ObjectId
    customer: Required[ObjectId]
    externalId: Text256
    name: Text256
    status: Literal["open", "done"]
    priority: Priority
    createdAt: DateTime
    importedAt: DateTime
    direction: Literal["in", "out"]
    replyChannel: Text256 | None
    tags: UpToTwenty[TagName]
    assignedUsers: UpToTen[ObjectId]
    assignedTeams: UpToTen[ObjectId]
    custom: Custom
    defaultLang: Text100 | None
    queue: QueueRef


@with_config(STRICT)
class Snooze(TypedDict, total=False):
    time: DateTime
    status: Required[Literal["scheduled", "canceled", "elapsed"]]


@with_config(STRICT)
class ConversationUpdate(TypedDict, total=False):
    externalId: Text256 | None
    name: Text256 | None
    direction: Literal["in", "out"]
    priority: Priority
    satisfaction: Annotated[float, Field(ge=-1, le=1)] | None
    satisfactionLevel: dict[str, Any]
    suggestedShortcuts: list[dict[str, Any]]
    status: Literal["open", "snoozed", "done"]
    replyChannel: Text256 | None
    subStatus: ObjectId
    snooze: Snooze
    tags: UpToTwenty[TagName]
    suggestedTags: list[dict[str, Any]]
    sentiment: Sentiment
    assignedUsers: UpToTen[ObjectId]
    assignedTeams: UpToTen[ObjectId]
    custom: Custom
    deleted: bool | None
    ended: bool
    endedAt: DateTime
    endedReason: Text128
    endedBy: ObjectId
    endedByType: Literal["user", "customer"]
    locked: bool
    rev: float
    defaultLang: Text100 | None
    queue: QueueRef


@with_config(STRICT)
class ConversationMove(TypedDict):
    """Moving to another customer is a body of its own."""

    customer: ObjectId


@with_config(STRICT)
class AttachmentCreate(TypedDict, total=False):
    name: Required[SomeText]
    contentType: Required[SomeText]
    contentLength: Required[ByteCount]
    externalUrl: str
    renderMode: Literal["default", "metadata_only"]


@with_config(STRICT)
class AttachmentUpsert(TypedDict, total=False):
    name: SomeText
    redacted: bool
    contentType: SomeText
    contentLength: ByteCount


# Setting these takes the role org.admin, which the sandbox's key has not.
ADMIN_ONLY = ("createdAt", "createdBy", "modifiedAt", "modifiedBy")


@with_config(STRICT)
class NoteInConversation(TypedDict, total=False):
    id: ObjectId
    conversation: ObjectId
    attachments: Unique[AttachmentRef]
    importedAt: DateTime
    externalId: Text256
    body: Required[NoteBody]
    userMentions: Annotated[list[dict[str, Any]], Field(max_length=20)]
    createdAt: DateTime
    modifiedAt: DateTime
    createdBy: ObjectId
    modifiedBy: ObjectId
    lang: Text100 | None


@with_config(STRICT)
class NoteUpdate(TypedDict, total=False):
    conversation: ObjectId
    externalId: Text256 | None
    body: NoteBody
    userMentions: list[dict[str, Any]]
    deleted: bool | None
    attachments: Unique[AttachmentRef]
    createdAt: DateTime
    modifiedAt: DateTime
    updatedAt: DateTime
    createdBy: ObjectId
    modifiedBy: ObjectId | None
    lang: Text100 | None


CUSTOMER: TypeAdapter[CustomerBody] = TypeAdapter(CustomerBody)
CONVERSATION: TypeAdapter[ConversationCreate] = TypeAdapter(ConversationCreate)
CONVERSATION_IN_CUSTOMER: TypeAdapter[ConversationInCustomer] = TypeAdapter(ConversationInCustomer)
CONVERSATION_UPDATE: TypeAdapter[ConversationUpdate] = TypeAdapter(ConversationUpdate)
CONVERSATION_MOVE: TypeAdapter[ConversationMove] = TypeAdapter(ConversationMove)
TAGS: TypeAdapter[list[TagName]] = TypeAdapter(UpToTwenty[TagName], config=ConfigDict(strict=True))
NOTE: TypeAdapter[NoteInConversation] = TypeAdapter(NoteInConversation)
ATTACHMENT: TypeAdapter[AttachmentCreate] = TypeAdapter(AttachmentCreate)
ATTACHMENT_UPSERT: TypeAdapter[AttachmentUpsert] = TypeAdapter(AttachmentUpsert)
NOTE_UPDATE: TypeAdapter[NoteUpdate] = TypeAdapter(NoteUpdate)


Criteria = dict[str, Any] | UpToTwenty[dict[str, Any]]
_CONTEXTS = (
    "^(company|customer|message|conversation|conversation_time|note|kobject|kobject_.*|work_session"
    "|work_item)$"
)
# `and`, `or` and `not` are words of Python's.
Search = TypedDict(
    "Search",
    {
        "searchHash": str,
        "queryContext": Annotated[str, StringConstraints(pattern=_CONTEXTS)],
        "includeDeleted": bool,
        "timeZone": str,
        "and": Criteria,
        "or": Criteria,
        "not": Criteria,
        "sort": dict[str, Any] | Annotated[list[dict[str, Any]], Field(max_length=5), *_UNIQUE],
        "aggs": dict[str, Any],
        "fields": UpToTwenty[dict[str, Any]],
    },
    total=False,
)
Search.__pydantic_config__ = STRICT  # type: ignore[attr-defined]
SEARCH: TypeAdapter[Search] = TypeAdapter(Search)


@with_config(STRICT)
class MergeBody(TypedDict):
    source: ObjectId
    target: ObjectId


MERGE: TypeAdapter[MergeBody] = TypeAdapter(MergeBody)


def checked_id(text: str) -> str | None:
    """As ids are kept, in lower case. None: no id can look like that."""
    return text.lower() if re.fullmatch("[0-9a-fA-F]{24}", text) else None
