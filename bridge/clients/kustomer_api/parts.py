"""What Kustomer's resources are made of, for writing; limits as in its published request schemas."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from bridge.clients.shapes import Wanted, When

ObjectId = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{24}$", description="24 hex digits")]
TagName = Annotated[
    str,
    Field(
        # No colon and no #: both are refused.
        pattern=r"^[0-9a-zA-ZÀ-ÿ_/<>.\-][0-9a-zA-ZÀ-ÿ _/<>.\-]{0,63}$",
        description="1 to 64 letters, digits and _ / < > - . and blanks; an unknown one is made",
    ),
]
Text256 = Annotated[str, Field(max_length=256)]
Url = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")]
E164 = Annotated[str, Field(pattern=r"^\+?[0-9]{4,15}$", description="E.164, with its plus")]
EmailAddress = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=256)]
Custom = Annotated[
    dict[str, Any],
    Field(
        description="custom attributes by name, whose end tells the type (Str, Txt, Num, At, Bool, Url); null"
        " clears. One that the org has not defined makes Kustomer refuse the whole request"
    ),
]
ImportedAt = Annotated[
    When,
    Field(description="marks an import, which is free of the limit of 120 creates a minute for a customer"),
]


class Draft(Wanted):
    """What is written; camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel)


class EmailPart(Draft):
    email: EmailAddress
    type: Literal["home", "work", "other"] | None = None
    verified: bool | None = None


class PhonePart(Draft):
    phone: E164
    type: Literal["mobile", "home", "work", "fax", "other"] | None = None
    verified: bool | None = None


class WhatsappPart(Draft):
    phone: E164
    type: Literal["mobile"] | None = None
    verified: bool | None = None


class ExternalIdPart(Draft):
    external_id: Annotated[str, Field(min_length=1, max_length=255)]
    verified: bool | None = None


class SocialPart(Draft):
    type: Literal["twitter", "facebook", "instagram", "linkedin", "pinterest"]
    username: Annotated[str, Field(min_length=1, max_length=256)]
    userid: Text256 | None = None
    url: Url | None = None


class UrlPart(Draft):
    url: str
    type: Literal["website", "blog", "other"] | None = None


class LocationPart(Draft):
    type: Literal["home", "work", "other"] | None = None
    name: str | None = None
    address: Text256 | None = None
    address2: Text256 | None = None
    city_name: Annotated[str, Field(max_length=128)] | None = None
    region_name: Annotated[str, Field(max_length=128)] | None = None
    zip_code: Annotated[str, Field(max_length=30)] | None = None
    country_name: Annotated[str, Field(max_length=64)] | None = None
    country_code: Annotated[str, Field(min_length=2, max_length=2)] | None = None


class DomainPart(Draft):
    domain: Annotated[str, Field(min_length=1)]


class QueuePart(Draft):
    id: str | None = None


class SnoozePart(Draft):
    status: Literal["scheduled", "canceled", "elapsed"]
    time: When | None = None


class AttachmentPart(Draft):
    """A file that was registered and uploaded before."""

    id: ObjectId = Field(alias="_id")
    name: str
    content_type: str
    content_length: int = Field(ge=0, description="bytes")


class MentionPart(Draft):
    """A user or a team."""

    user: ObjectId | None = None
    team: ObjectId | None = None
