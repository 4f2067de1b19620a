"""What the typed requests and answers of both services share.

Inside, names are ours (snake_case, with the unit); on the wire they are the vendor's, as aliases. What we
send is checked strictly. What we receive is read leniently: a number as text is a number, and what
cannot be read is kept as it came rather than making the whole answer unusable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bridge.domain.phone import Kind, read_phone
from bridge.domain.webhook.values import read_flag, read_time, read_whole, unescaped
from bridge.errors import Unavailable


class NullNotTaken(ValueError):
    """A null where the service takes none, in a place where it may be meant to clear something."""


class RequestModel(BaseModel):
    """What we ask for or write: unknown fields are refused, as are texts where a number has to be."""

    model_config = ConfigDict(extra="forbid", strict=True, validate_by_name=True, validate_by_alias=False)

    @classmethod
    def without_nulls(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The input as it is to be checked, without nulls that the service does not take.

        Raises:
            NullNotTaken: names the field.
        """
        return dict(given)

    def wire(self, *without: str) -> dict[str, Any]:
        """The fields that were given, in the vendor's spelling, without those named (in ours).

        A field that was left out is not sent; one that was given as null is: that clears it.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=set(without))

    def query(self, *without: str) -> dict[str, str]:
        """As `wire`, for a query string; what is null is left out."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.wire(*without).items()
            if value is not None
        }


class ResponseModel(BaseModel):
    """The answer of a service. `extra` holds, in the vendor's spelling, what has no name of ours."""

    model_config = ConfigDict(extra="ignore", validate_by_name=True, validate_by_alias=True)

    extra: dict[str, Any] = Field(
        default_factory=dict, description="everything else in the answer, in the service's spelling"
    )

    @classmethod
    def read(cls, raw: Mapping[str, Any], **known: Any) -> Self:
        """Read an answer.

        Args:
            raw: in the vendor's spelling.
            known: further fields, in ours.

        Raises:
            Unavailable: what makes it what it is (its id) is missing.
        """
        named = {field.alias or name for name, field in cls.model_fields.items()} - {"extra"}
        extra = {name: value for name, value in raw.items() if name not in named} | known.pop("extra", {})
        data = {name: value for name, value in raw.items() if name in named} | known
        while True:
            try:
                return cls.model_validate({**data, "extra": extra})
            except ValidationError as error:
                unreadable = {str(one["loc"][0]) for one in error.errors()} & data.keys()
                if not unreadable:
                    raise Unavailable(f"an answer that is no {cls.__name__}") from error
                for name in unreadable:
                    extra[name] = data.pop(name)


ItemT = TypeVar("ItemT", bound=BaseModel)


class Page(BaseModel, Generic[ItemT]):
    """One page of a list."""

    items: list[ItemT]
    page: int = Field(description="number of this page, from 1")
    next_page: int | None = Field(description="number of the next one; null: this was the last")
    total: int | None = Field(default=None, description="items on all pages, where the service tells")


def page_field(most: int, default: int) -> Any:
    return Field(default=default, ge=1, le=most, description=f"items a page, at most {most}")


PAGE = Field(default=1, ge=1, description="number of the page, from 1")


def reader(read: Callable[[Any], Any]) -> BeforeValidator:
    """A reader that answers None for what it cannot read (`domain/webhook/values.py`): an error here."""

    def before(value: Any) -> Any:
        if value is None:
            return None
        found = read(value)
        if found is None and value != "":
            raise ValueError("unreadable")
        return found

    return BeforeValidator(before)


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)


def _unescaped(value: Any) -> str | None:
    text = _text(value)
    return None if text is None else unescaped(text)


def _number(value: Any) -> str | None:
    """A phone number: written with its plus where it is one of the world; an extension stays as it is."""
    phone = read_phone(value)
    return None if phone is None or phone.kind is Kind.WITHHELD else phone.text


def _decimal(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


# Readers for answers: null stays null, an empty text is null, numbers may be text and the reverse.
Text = Annotated[str | None, reader(_text)]
# CloudTalk escapes its texts (`&amp;` in a contact's title was seen).
Escaped = Annotated[str | None, reader(_unescaped)]
Whole = Annotated[int | None, reader(read_whole)]
Decimal = Annotated[float | None, reader(_decimal)]
Flag = Annotated[bool | None, reader(read_flag)]
Moment = Annotated[datetime | None, reader(read_time)]
PhoneText = Annotated[str | None, reader(_number)]
# An id that has to be there.
SureText = Annotated[str, Field(min_length=1), reader(_text)]
SureWhole = Annotated[int, reader(read_whole)]


def _digits(value: Any) -> Any:
    """CloudTalk's own answers and webhooks give ids as text; pasted back, they are numbers."""
    # 19 digits hold every 64-bit number.
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value) else value


# An id to send: a number above 0, also as digits in a text.
NumberId = Annotated[
    int,
    BeforeValidator(_digits, json_schema_input_type=int | Annotated[str, Field(pattern=r"^[0-9]{1,19}$")]),
    Field(gt=0, lt=2**63),
]
# A time to send; without an offset it could be any hour.
When = AwareDatetime
