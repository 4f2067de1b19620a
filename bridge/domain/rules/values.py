"""Types of values in a rules file, for pydantic: what is right, and what to say of what is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from bridge.domain.fields import problem_with
from bridge.domain.hours import read_hours
from bridge.domain.template_engine import Kind
from bridge.domain.template_filters import TemplateProblem
from bridge.domain.templates import check

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KLASS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[_-][A-Za-z]{2,4})?")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
# A custom attribute's ending -> the type of its values, and that type in words (reference, Kustomer 9).
_CUSTOM: dict[str, tuple[tuple[type, ...], str]] = {
    "Str": ((str,), "a text"),
    "Txt": ((str,), "a text"),
    "Url": ((str,), "a text"),
    "Tree": ((str,), "a text"),
    "Num": ((int, float), "a number"),
    "Bool": ((bool,), "true or false"),
    "At": ((datetime, date, str), "a time"),
}


_CONTACT_LISTS = ("phones", "emails")
_TEXT_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}(?:Str|Txt|Url|Num|Bool)")


def _matches(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def look(text: str) -> str:
        if text and not pattern.fullmatch(text):
            raise ValueError
        return text

    return look


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


def _hours(text: str) -> str:
    try:
        read_hours(text)
    except ValueError as error:
        # The sentence begins with "must".
        raise PydanticCustomError("hours", "{hint}", {"hint": str(error).removeprefix("must ")}) from error
    return text


def _template(kind: Kind) -> Callable[[str], str]:
    def look(text: str) -> str:
        return _checked(text, kind)

    return look


def _checked(text: str, kind: Kind) -> str:
    try:
        if text or kind == "name":
            check(text, kind)
    except TemplateProblem as problem:
        said = {
            "what": problem.what,
            "remedy": problem.remedy,
            "line": problem.line,
            "word": problem.word,
        }
        raise PydanticCustomError("template", "{what}", said) from problem
    return text


def _day(value: object) -> object:
    if isinstance(value, str):
        return date.fromisoformat(value)
    if isinstance(value, datetime):
        raise ValueError
    return value


def _country(text: str) -> str:
    import phonenumbers

    code = text.upper()
    if code not in phonenumbers.SUPPORTED_REGIONS:
        near = "GB" if code == "UK" else ""
        raise PydanticCustomError("country", "{near}", {"near": near})
    return code


def _named(value: object) -> object:
    """Ids that people write without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _attributes(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        ending = next((one for one in _CUSTOM if name.endswith(one) and name != one), None)
        if ending is None:
            said = {
                "key": name,
                "what": f"{name!r} is no custom attribute",
                "remedy": f"its name ends in its type: {', '.join(_CUSTOM)}",
            }
            raise PydanticCustomError("attribute", "{what}", said)
        types, words = _CUSTOM[ending]
        right = isinstance(value, types) and (ending == "Bool" or not isinstance(value, bool))
        if not right or len(str(value)) > 1024:
            what = f"{name!r} cannot be that value"
            said = {"key": name, "what": what, "remedy": f"an attribute that ends in {ending} is {words}"}
            raise PydanticCustomError("attribute", "{what}", said)
    return values


def is_klass_name(text: str) -> bool:
    return _KLASS.fullmatch(text) is not None


def _field_names(names: dict[str, str]) -> dict[str, str]:
    if (problem := problem_with(names)) is not None:
        field, what, remedy = problem
        raise PydanticCustomError("attribute", "{what}", {"key": field, "what": what, "remedy": remedy})
    return names


class OneOrMore:
    """A list whose only item may stand without brackets."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def one_or_more(kind: Any) -> Any:
    return Annotated[list[kind], Field(min_length=1), OneOrMore()]


def _contact_fields(fields: dict[str, str]) -> dict[str, str]:
    """Lists go to lists, texts to the name or to a custom attribute; one target has one source."""
    for source, target in fields.items():
        what = ""
        if (source in _CONTACT_LISTS or target in _CONTACT_LISTS) and source != target:
            what = f"{source!r} cannot go to {target!r}"
            remedy = f"{' and '.join(_CONTACT_LISTS)} go to the field of the same name"
        elif target not in (*_CONTACT_LISTS, "name") and not _TEXT_ATTRIBUTE.fullmatch(target):
            what = f"{target!r} is no field of a customer that a contact can fill"
            remedy = "use name, phones, emails, or a custom attribute that ends in Str, Txt, Url, Num or Bool"
        elif list(fields.values()).count(target) > 1:
            what = f"{target!r} has two sources"
            remedy = "name one"
        if what:
            raise PydanticCustomError("attribute", "{what}", {"key": source, "what": what, "remedy": remedy})
    return fields


Text = Annotated[str, Field(max_length=256)]
FilledText = Annotated[str, AfterValidator(_filled), Field(min_length=1, max_length=256)]
Id = Annotated[str, AfterValidator(_matches(_ID))]
Email = Annotated[str, AfterValidator(_filled), AfterValidator(_matches(_EMAIL))]
Domain = Annotated[str, AfterValidator(_filled), AfterValidator(_matches(_DOMAIN))]
Locale = Annotated[str, AfterValidator(_matches(_LOCALE))]
AgentId = Annotated[str, AfterValidator(_filled), AfterValidator(_matches(re.compile(r"\d{1,19}")))]
OwnNumber = Annotated[str, AfterValidator(_matches(re.compile(r"\+[1-9][0-9]{5,14}")))]
AttributeName = Annotated[
    str, AfterValidator(_matches(re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}(?:Str|Txt|At)")))
]
# Of any type: which one a field takes, its ending says.
FieldAttribute = Annotated[str, AfterValidator(_matches(re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")))]
FieldNames = Annotated[dict[str, FieldAttribute], AfterValidator(_field_names)]
KlassName = Annotated[str, AfterValidator(_filled), AfterValidator(_matches(_KLASS))]
HoursText = Annotated[str, AfterValidator(_hours)]
TemplateText = Annotated[str, AfterValidator(_template("name"))]
NoteTemplateText = Annotated[str, AfterValidator(_template("note"))]
Amount = Annotated[float, Field(gt=0, lt=10_000)]
Day = Annotated[date, BeforeValidator(_day)]
Country = Annotated[str, AfterValidator(_country), Field(min_length=2, max_length=2)]
Name = Annotated[str, BeforeValidator(_named), AfterValidator(_filled)]
Attributes = Annotated[dict[str, Any], AfterValidator(_attributes)]
ContactFields = Annotated[
    dict[
        Annotated[str, AfterValidator(_filled), Field(max_length=256)], Annotated[str, Field(max_length=80)]
    ],
    AfterValidator(_contact_fields),
    Field(max_length=50),
]
TagText = Annotated[str, Field(max_length=100)]
Seconds = Annotated[int, Field(ge=0, le=86_400)]
