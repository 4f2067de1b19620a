"""What Kustomer takes in the body of a custom object: its published request schemas."""

from __future__ import annotations

from typing import Annotated, Any, Required

from pydantic import StringConstraints, TypeAdapter, with_config
from typing_extensions import TypedDict

from bridge.sandbox.kustomer.schemas import (
    STRICT,
    Custom,
    DateTime,
    ObjectId,
    SomeText256,
    TagName,
    Text64,
    UpToTwenty,
)

_Description = Annotated[str, StringConstraints(max_length=10240)]


@with_config(STRICT)
class _Common(TypedDict, total=False):
    externalId: SomeText256
    description: _Description
    images: UpToTwenty[str]
    icon: Text64
    data: dict[str, Any]
    custom: Custom
    tags: UpToTwenty[TagName]
    createdAt: DateTime
    importedAt: DateTime


@with_config(STRICT)
class CustomObject(_Common, total=False):
    title: Required[SomeText256]
    customer: ObjectId
    company: ObjectId


@with_config(STRICT)
class CustomObjectUpdate(_Common, total=False):
    title: SomeText256
    rev: float


CUSTOM_OBJECT = TypeAdapter(CustomObject)
CUSTOM_OBJECT_UPDATE = TypeAdapter(CustomObjectUpdate)
