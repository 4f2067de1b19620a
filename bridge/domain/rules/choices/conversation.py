"""Choices of `[conversation]`: the conversation that a call gets."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from bridge.domain.outcome import Outcome, Status
from bridge.domain.rules import model as rules_model
from bridge.domain.rules.choice import (
    AMOUNT_RIGHT,
    BOOL,
    CUSTOM_RIGHT,
    ID_RIGHT,
    TEMPLATE_RIGHT,
    Choice,
    as_mapping,
    as_tuple,
    one_of,
)
from bridge.domain.rules.values import Amount, AttributeName, Attributes, FilledText, Id, TemplateText, Text

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="conversation", name="per", field="per", kind=rules_model.Per, right=one_of(rules_model.Per),
        says="one conversation for each call, for a customer's calls, or for a caller's missed calls",
        costs="customer: 1 to read the conversation, in place of 1 to create one, and 1 to change its state; "
        "missed_caller: 3 for a further miss, in place of 2 or 3",
    ),
    Choice(
        section="conversation", name="within_hours", field="within_hours",
        kind=Annotated[float, Field(ge=0, lt=10_000)], right="a number of hours, 0 or more and below 10000",
        says="how long after its first call a conversation takes further ones; 0: while it is open",
    ),
    Choice(
        section="conversation", name="name", field="name", kind=TemplateText, right=TEMPLATE_RIGHT,
        says="name of the conversation, at most 256 characters",
        read=lambda text: "" if text == "{{ title }}" else text, shown=lambda text: text or "{{ title }}",
    ),
    Choice(
        section="conversation", name="status", field="status",
        kind=dict[Annotated[Outcome, Field(strict=False)], Status],
        right='outcomes with open, done or snoozed, such as { missed = "open" }',
        read=lambda value: MappingProxyType({**rules_model.DEFAULT_STATUS, **value}),
        says="status by outcome; in a rule one status, whatever the outcome",
        costs="snoozed: 2, to read and update it after the note",
    ),
    Choice(
        section="conversation", name="snooze_hours", field="snooze_hours", kind=Amount, right=AMOUNT_RIGHT,
        says="how long a snoozed conversation sleeps",
    ),
    Choice(
        section="conversation", name="sub_status", field="sub_status", kind=Text, right="a text",
        says="sub-status, as your Kustomer names it", example='"called-back"', costs="1 update",
    ),
    Choice(
        section="conversation", name="priority", field="priority", kind=Annotated[int, Field(ge=1, le=5)],
        right="a whole number from 1 to 5", says="priority; without it Kustomer's own", example="3",
    ),
    Choice(
        section="conversation", name="brand", field="brand", kind=Id, right=ID_RIGHT,
        says="the brand's id", example='"5f0c1a2b3c4d5e6f70819204"',
    ),
    Choice(
        section="conversation", name="queue", field="queue", kind=Id, right=ID_RIGHT,
        says="the queue's id", example='"5f0c1a2b3c4d5e6f70819205"',
    ),
    Choice(
        section="conversation", name="team", field="team", kind=Text, right="the id or the name of a team",
        says="the team that owns the conversation", example='"Sales"',
        costs="1 list of teams an hour",
    ),
    Choice(
        section="conversation", name="tags", field="tags", read=as_tuple,
        kind=Annotated[list[FilledText], Field(max_length=20)], right='a list of texts such as ["phone"]',
        says="tags of each conversation; a rule's tags stand in place of these", example='["phone"]',
    ),
    Choice(
        section="conversation", name="call_tags", field="call_tags", kind=bool, right=BOOL,
        says="add CloudTalk's tags of the call",
    ),
    Choice(
        section="conversation", name="custom", field="custom", kind=Attributes, read=as_mapping,
        right=CUSTOM_RIGHT, says="custom attributes; one that Kustomer refuses is left out and named",
        example='{ channelStr = "phone" }',
    ),
    Choice(
        section="conversation", name="close_missed_on_contact", field="close_missed_on_contact", kind=bool,
        right=BOOL, says="close a missed call once that caller was spoken to",
        costs="4 for each missed call that it closes: 2 reads, 2 updates",
    ),
    Choice(
        section="conversation", name="call_back_minutes", field="call_back_minutes",
        kind=Annotated[int, Field(ge=1, le=100_000)], right="a whole number of minutes, 1 or more",
        says="call a missed caller back within so many minutes of opening hours; without it no due time",
        example="60",
    ),
    Choice(
        section="conversation", name="due_custom", field="due_custom", kind=AttributeName,
        right="the name of a custom attribute, such as callBackAt",
        says="custom attribute that gets the time by which to call back", example='"callBackAt"',
    ),
)  # fmt: skip
