"""Choices of `[customer]`: whose call it is in Kustomer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bridge.domain.rules import model as rules_model
from bridge.domain.rules.choice import (
    BOOL,
    CUSTOM_RIGHT,
    ID_RIGHT,
    TEMPLATE_RIGHT,
    Choice,
    as_mapping,
    as_tuple,
    list_of,
    one_of,
)
from bridge.domain.rules.values import Attributes, FilledText, Id, Locale, TemplateText

_PhoneType = Literal["mobile", "home", "work", "fax", "other"]

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="customer", name="match", field="match", read=as_tuple,
        kind=Annotated[list[rules_model.Match], Field(min_length=1)],
        right=list_of(rules_model.Match),
        says="how a caller is looked for, in this order",
        costs="1 search for a caller whom the look-up by phone does not find, if the file states it; "
        "email, external_id: 1 look-up each, and 1 of CloudTalk for the contact",
    ),
    Choice(
        section="customer", name="search", field="search", kind=bool, right=BOOL,
        says="search shared phones and other spellings; without it only if match or several is stated",
        example="true", costs="1 search for a caller whom the look-up by phone does not find",
    ),
    Choice(
        section="customer", name="several", field="several", kind=rules_model.Several,
        right=one_of(rules_model.Several),
        says="whom to take if several customers fit; none: a person decides, the call is parked",
        costs="as match; most_recent_conversation: 1 or more to compare them",
    ),
    Choice(
        section="customer", name="unknown", field="unknown", kind=rules_model.Unknown,
        right=one_of(rules_model.Unknown),
        says="what happens with a caller whom Kustomer does not know; skip: the call is not written",
    ),
    Choice(
        section="customer", name="house", field="house", kind=Id, right=ID_RIGHT,
        says="the customer who gets the calls of nobody in particular", example='"5f0c1a2b3c4d5e6f70819203"',
    ),
    Choice(
        section="customer", name="name", bare="customer_name", field="customer_name", kind=TemplateText,
        right=TEMPLATE_RIGHT, says="name of a new customer; empty: the name that CloudTalk gives",
        example='"Caller {{ number }}"',
    ),
    Choice(
        section="customer", name="phone_type", field="phone_type", kind=_PhoneType,
        right=one_of(_PhoneType), says="type of a new customer's phone",
    ),
    Choice(
        section="customer", name="tags", bare="customer_tags", field="customer_tags", read=as_tuple,
        kind=Annotated[list[FilledText], Field(max_length=20)], right='a list of texts such as ["phone"]',
        says="tags of a new customer", example='["phone"]',
    ),
    Choice(
        section="customer", name="locale", field="locale", kind=Locale, right="a locale such as en_US",
        says="locale of a new customer", example='"en_US"',
    ),
    Choice(
        section="customer", name="custom", bare="customer_custom", field="customer_custom", kind=Attributes,
        read=as_mapping, right=CUSTOM_RIGHT, says="custom attributes of a new customer",
        example='{ sourceStr = "phone" }',
    ),
)  # fmt: skip
