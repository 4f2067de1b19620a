"""What Kustomer's resources are made of, for writing; limits as in its published request schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from bridge.clients.shapes import RequestModel, When

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
        max_length=100,
        description="custom attributes by name, whose end tells the type (Str, Txt, Num, At, Bool, Url); null"
        " clears. One that the org has not defined makes Kustomer refuse the whole request",
    ),
]
ImportedAt = Annotated[
    When,
    Field(description="marks an import, which is free of the limit of 120 creates a minute for a customer"),
]


T = TypeVar("T")


def _unique(items: list[T]) -> list[T]:
    if any(item in items[:at] for at, item in enumerate(items)):
        raise ValueError("has the same item twice; Kustomer accepts each once")
    return items


# Limits of Kustomer's published request schemas: contact data, people; tags and mentions.
Unique = Annotated[list[T], AfterValidator(_unique), Field(json_schema_extra={"uniqueItems": True})]
UpToTen = Annotated[Unique[T], Field(max_length=10)]
UpToTwenty = Annotated[Unique[T], Field(max_length=20)]


class Draft(RequestModel):
    """What is written; camelCase on the wire.

    A null that Kustomer does not take is left out of a create, and refused in an update: there it may be
    meant to clear something.
    """

    model_config = ConfigDict(alias_generator=to_camel)
    # Names of the fields that Kustomer takes null for.
    nullable: ClassVar[frozenset[str]] = frozenset()
    updates: ClassVar[bool] = False

    @classmethod
    def without_nulls(cls, given: Mapping[str, Any], *, updates: bool | None = None) -> dict[str, Any]:
        """The input without the nulls that Kustomer does not take, those in parts included.

        Raises:
            NullNotTaken: in an update; names the field.
        """
        updates = cls.updates if updates is None else updates
        kept: dict[str, Any] = {}
        for name, value in given.items():
            field = cls.model_fields.get(name)
            part = _part_in(field.annotation) if field is not None else None
            if value is None and field is not None and name not in cls.nullable:
                if updates:
                    raise ValueError(
                        f"{name}: Kustomer does not accept null here; omit it, or give another value"
                    )
            elif part is not None and isinstance(value, Mapping):
                kept[name] = part.without_nulls(value, updates=updates)
            elif part is not None and isinstance(value, list):
                kept[name] = [
                    part.without_nulls(one, updates=updates) if isinstance(one, Mapping) else one
                    for one in value
                ]
            else:
                kept[name] = value
        return kept

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        for name, field in schema.get("properties", {}).items():
            kinds = [kind for kind in field.get("anyOf", []) if kind != {"type": "null"}]
            if name not in cls.nullable and len(kinds) == 1:
                del field["anyOf"]
                schema["properties"][name] = {**kinds[0], **field}
                schema["properties"][name].pop("default", None)
        return schema


def _part_in(annotation: Any) -> type[Draft] | None:
    if isinstance(annotation, type) and issubclass(annotation, Draft):
        return annotation
    return next((found for one in get_args(annotation) if (found := _part_in(one)) is not None), None)


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
    nullable = frozenset(
        {
            "type", "name", "address", "address2", "city_name", "region_name", "zip_code", "country_name",
            "country_code",
        }
    )  # fmt: skip

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
    nullable = frozenset({"id", "external"})

    id: str | None = None
    external: Literal["amazon-connect"] | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("a queue needs an id (null removes it from its queue), or external")
        return self


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
