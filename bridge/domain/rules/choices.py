"""Every choice of a rules file of version 2: its name, type, default and meaning, once.

The models that read the file, the JSON Schema, the commented default file, the tables of
deploy/README.md and what `/rules` says all follow from this table. To add a choice, add a field to
`Rules` and a line here, and run the tests: they say where else it has to be named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from bridge.domain.hours import read_hours
from bridge.domain.outcome import Outcome, Status
from bridge.domain.rules import model as rules_model
from bridge.domain.rules.choice import Choice, as_mapping, as_tuple, list_of, one_of
from bridge.domain.rules.values import (
    AgentId,
    AttributeName,
    Attributes,
    Day,
    Domain,
    Email,
    FilledText,
    HoursText,
    Id,
    LaterTemplate,
    Locale,
    Name,
    TemplateText,
    Text,
)
from bridge.domain.webhook.keys import CANONICAL_KEYS, folded

# Section -> what it is about.
SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "customer": "Whose call it is in Kustomer.",
        "conversation": "The conversation that a call gets.",
        "agents": "Who owns the conversation. Without this section nobody is assigned.",
        "calendar": "Opening hours and holidays, in TIME_ZONE.",
        "write": "Which calls are written, and how.",
        "recording": "What becomes of recordings.",
        "insights": "What CloudTalk's AI says of a call: not asked for yet.",
        "messages": "Text messages: not written yet.",
        "webhook_keys": "Other names that your CloudTalk templates use for a value.",
    }
)


# Sections that the file may have already, and that have no effect in this version.
LATER = ("insights", "messages")
BOOL = "true or false"
_ID_RIGHT = "its id, as Kustomer's address shows it"
_TEMPLATE_RIGHT = "a template such as {{ title }}"
_CUSTOM_RIGHT = 'names and values, such as { regionStr = "north" }'
_PHONE_TYPES = Literal["mobile", "home", "work", "fax", "other"]
_AMOUNT = Annotated[float, Field(gt=0, lt=10_000)]
_AMOUNT_RIGHT = "a number above 0 and below 10000"
_STATUSES = "open, done or snoozed"


def _customer() -> Iterator[Choice]:
    yield Choice(
        section="customer", name="match", field="match", read=as_tuple,
        kind=Annotated[list[rules_model.Match], Field(min_length=1)],
        right=list_of(rules_model.Match),
        says="how a caller is looked for, in this order",
        costs="1 search for a caller whom the look-up by phone does not find, if the file states it; "
        "email, external_id: 1 look-up each, and 1 of CloudTalk for the contact",
    )  # fmt: skip
    yield Choice(
        section="customer", name="search", field="search", kind=bool, right=BOOL,
        says="search shared phones and other spellings; without it only if match or several is stated",
        example="true", costs="1 search for a caller whom the look-up by phone does not find",
    )  # fmt: skip
    yield Choice(
        section="customer", name="several", field="several", kind=rules_model.Several,
        right=one_of(rules_model.Several),
        says="whom to take if several customers fit; none: a person decides, the call is parked",
        costs="as match; most_recent_conversation: 1 or more to compare them",
    )  # fmt: skip
    yield Choice(
        section="customer", name="unknown", field="unknown", kind=rules_model.Unknown,
        right=one_of(rules_model.Unknown),
        says="what happens with a caller whom Kustomer does not know; skip: the call is not written",
    )  # fmt: skip
    yield Choice(
        section="customer", name="house", field="house", kind=Id, right=_ID_RIGHT,
        says="the customer who gets the calls of nobody in particular", example='"5f0c1a2b3c4d5e6f70819203"',
    )  # fmt: skip
    yield Choice(
        section="customer", name="name", bare="customer_name", field="customer_name", kind=TemplateText,
        right=_TEMPLATE_RIGHT, says="name of a new customer; empty: the name that CloudTalk gives",
        example='"Caller {{ number }}"',
    )  # fmt: skip
    yield Choice(
        section="customer", name="phone_type", field="phone_type", kind=_PHONE_TYPES,
        right=one_of(_PHONE_TYPES), says="type of a new customer's phone",
    )  # fmt: skip
    yield Choice(
        section="customer", name="tags", bare="customer_tags", field="customer_tags", read=as_tuple,
        kind=Annotated[list[FilledText], Field(max_length=20)], right='a list of texts such as ["phone"]',
        says="tags of a new customer", example='["phone"]',
    )  # fmt: skip
    yield Choice(
        section="customer", name="locale", field="locale", kind=Locale, right="a locale such as en_US",
        says="locale of a new customer", example='"en_US"',
    )  # fmt: skip
    yield Choice(
        section="customer", name="custom", bare="customer_custom", field="customer_custom", kind=Attributes,
        read=as_mapping, right=_CUSTOM_RIGHT, says="custom attributes of a new customer",
        example='{ sourceStr = "phone" }',
    )  # fmt: skip


def _conversation() -> Iterator[Choice]:
    section = "conversation"
    yield Choice(
        section=section, name="per", field="per", kind=rules_model.Per, right=one_of(rules_model.Per),
        says="one conversation for each call, for a customer's calls, or for a caller's missed calls",
        costs="customer: 1 to read the conversation, in place of 1 to create one, and 1 to change its state; "
        "missed_caller: 3 for a further miss, in place of 2 or 3",
    )  # fmt: skip
    yield Choice(
        section=section, name="within_hours", field="within_hours",
        kind=Annotated[float, Field(ge=0, lt=10_000)], right="a number of hours, 0 or more and below 10000",
        says="how long after its first call a conversation takes further ones; 0: while it is open",
    )  # fmt: skip
    yield Choice(
        section=section, name="name", field="name", kind=TemplateText, right=_TEMPLATE_RIGHT,
        says="name of the conversation, at most 256 characters",
        read=lambda text: "" if text == "{{ title }}" else text, shown=lambda text: text or "{{ title }}",
    )  # fmt: skip
    yield Choice(
        section=section, name="status", field="status",
        kind=dict[Annotated[Outcome, Field(strict=False)], Status],
        right=f'outcomes with {_STATUSES}, such as {{ missed = "open" }}',
        read=lambda value: MappingProxyType({**rules_model.DEFAULT_STATUS, **value}),
        says="status by outcome; in a rule one status, whatever the outcome",
        costs="snoozed: 2, to read and update it after the note",
    )  # fmt: skip
    yield Choice(
        section=section, name="snooze_hours", field="snooze_hours", kind=_AMOUNT, right=_AMOUNT_RIGHT,
        says="how long a snoozed conversation sleeps",
    )  # fmt: skip
    yield Choice(
        section=section, name="sub_status", field="sub_status", kind=Text, right="a text",
        says="sub-status, as your Kustomer names it", example='"called-back"', costs="1 update",
    )  # fmt: skip
    yield Choice(
        section=section, name="priority", field="priority", kind=Annotated[int, Field(ge=1, le=5)],
        right="a whole number from 1 to 5", says="priority; without it Kustomer's own", example="3",
    )  # fmt: skip
    yield Choice(
        section=section, name="brand", field="brand", kind=Id, right=_ID_RIGHT,
        says="the brand's id", example='"5f0c1a2b3c4d5e6f70819204"',
    )  # fmt: skip
    yield Choice(
        section=section, name="queue", field="queue", kind=Id, right=_ID_RIGHT,
        says="the queue's id", example='"5f0c1a2b3c4d5e6f70819205"',
    )  # fmt: skip
    yield Choice(
        section=section, name="team", field="team", kind=Text, right="the id or the name of a team",
        says="the team that owns the conversation", example='"Sales"',
        costs="1 list of teams an hour",
    )  # fmt: skip
    yield Choice(
        section=section, name="tags", field="tags", read=as_tuple,
        kind=Annotated[list[FilledText], Field(max_length=20)], right='a list of texts such as ["phone"]',
        says="tags of each conversation; a rule's tags stand in place of these", example='["phone"]',
    )  # fmt: skip
    yield Choice(
        section=section, name="call_tags", field="call_tags", kind=bool, right=BOOL,
        says="add CloudTalk's tags of the call",
    )  # fmt: skip
    yield Choice(
        section=section, name="custom", field="custom", kind=Attributes, read=as_mapping,
        right=_CUSTOM_RIGHT, says="custom attributes; one that Kustomer refuses is left out and named",
        example='{ channelStr = "phone" }',
    )  # fmt: skip
    yield Choice(
        section=section, name="close_missed_on_contact", field="close_missed_on_contact", kind=bool,
        right=BOOL, says="close a missed call once that caller was spoken to",
        costs="4 for each missed call that it closes: 2 reads, 2 updates",
    )  # fmt: skip
    yield Choice(
        section=section, name="call_back_minutes", field="call_back_minutes",
        kind=Annotated[int, Field(ge=1, le=100_000)], right="a whole number of minutes, 1 or more",
        says="call a missed caller back within so many minutes of opening hours; without it no due time",
        example="60",
    )  # fmt: skip
    yield Choice(
        section=section, name="due_custom", field="due_custom", kind=AttributeName,
        right="the name of a custom attribute, such as callBackAt",
        says="custom attribute that gets the time by which to call back", example='"callBackAt"',
    )  # fmt: skip


def _agents() -> Iterator[Choice]:
    section = "agents"
    yield Choice(
        section=section, name="assign", field="assign", kind=rules_model.Assign,
        right=one_of(rules_model.Assign),
        says="who of those who spoke owns it; none: nobody",
        costs="1 list of users an hour, 1 of agents (of CloudTalk) in ten minutes, and call detail (1 of "
        "CloudTalk) if several spoke or rang",
    )  # fmt: skip
    yield Choice(
        section=section, name="missed", field="missed_owner", read=as_tuple,
        kind=list[rules_model.MissedOwner], right=list_of(rules_model.MissedOwner),
        says="who owns a missed call: the first of these whom Kustomer has",
        costs="favourite: 1 of CloudTalk; last_assignee: 1 to read the customer's conversations",
    )  # fmt: skip
    yield Choice(
        section=section, name="fallback_team", field="fallback_team", kind=Text,
        right="the id or the name of a team", says="the team that gets what no agent can own",
        example='"Support"', costs="1 list of teams an hour",
    )  # fmt: skip
    yield Choice(
        section=section, name="table", field="agent_table", kind=dict[AgentId, Email], read=as_mapping,
        right='CloudTalk agent ids with Kustomer e-mails, such as { "400101" = "bo@example.com" }',
        says="agents whose e-mail in Kustomer is another than in CloudTalk", private=True,
        example='{ "400101" = "bo@example.com" }',
    )  # fmt: skip
    yield Choice(
        section=section, name="domains", field="agent_domains", kind=list[Domain], read=as_tuple,
        right='a list of domains such as ["example.com", "example.org"]',
        says="domains that stand for one another in e-mails of agents",
        example='["example.com", "example.org"]',
    )  # fmt: skip
    yield Choice(
        section=section, name="shared", field="shared_accounts", kind=list[Name], read=as_tuple,
        right='a list of agent ids and e-mails, such as ["400109"]', private=True,
        says="agents (id or e-mail) that several people use: never assigned", example='["400109"]',
    )  # fmt: skip


def _calendar() -> Iterator[Choice]:
    section = "calendar"
    yield Choice(
        section=section, name="open_hours", field="open_hours", kind=HoursText, read=read_hours,
        shown=lambda hours: hours and hours.text, right="hours such as Mon-Fri 08:00-18:00",
        says="when your team calls back; without it always", example='"Mon-Fri 08:00-18:00"',
    )  # fmt: skip
    yield Choice(
        section=section, name="holidays", field="holidays", kind=list[Day], read=frozenset,
        shown=lambda days: [day.isoformat() for day in sorted(days)],
        right="a list of days such as [2026-12-25]",
        says="days on which no `hours` fit and nobody calls back", example="[2026-12-25, 2026-12-26]",
    )  # fmt: skip


def _write() -> Iterator[Choice]:
    for name, what in (
        ("internal", "calls between colleagues"),
        ("withheld", "calls from withheld numbers"),
        ("short", "calls of emergency and other short numbers"),
    ):
        yield Choice(
            section="write", name=name, field=f"write_{name}", kind=bool, right=BOOL,
            says=f"write {what}; false: they are kept and explained, not written",
        )  # fmt: skip
    yield Choice(
        section="write", name="path", field="note_path", kind=bool, right=BOOL,
        says="say in the note how the call went: menus, queues, who rang, transfers",
        costs="1 of CloudTalk: call detail",
    )  # fmt: skip
    yield Choice(
        section="write", name="as", field="", kind=Literal["note"], right='"note": the only form so far',
        says="the form in which a call is written",
    )  # fmt: skip
    yield Choice(
        section="write", name="language", field="", kind=Literal["en"],
        right='"en": the only language so far', says="language of the note",
    )  # fmt: skip
    yield Choice(
        section="write", name="template", field="", kind=LaterTemplate,
        right='"": notes have no template yet', says="template of the note; empty: the built-in note",
    )  # fmt: skip


def _recording() -> Iterator[Choice]:
    section = "recording"
    yield Choice(
        section=section, name="fetch", field="record", kind=bool, right=BOOL,
        says="fetch recordings; false: they stay in CloudTalk",
        costs="1 of CloudTalk, and 1 of Kustomer to attach it",
    )  # fmt: skip
    yield Choice(
        section=section, name="transcode", field="transcode", kind=bool, right=BOOL,
        says="make a small MP3; false: store and attach only the WAV",
    )  # fmt: skip
    yield Choice(
        section=section, name="attach", field="attach", kind=rules_model.Attach,
        right=one_of(rules_model.Attach),
        says="attach the small MP3; the original WAV; or never: storage only",
    )  # fmt: skip
    yield Choice(
        section=section, name="largest_attachment_mb", field="largest_attachment", kind=_AMOUNT,
        right=_AMOUNT_RIGHT, says="above this, the note links to the player instead",
        read=lambda megabytes: int(megabytes * 1_000_000), shown=lambda size: size / 1_000_000,
    )  # fmt: skip
    yield Choice(
        section=section, name="link", field="link", kind=rules_model.Link, right=one_of(rules_model.Link),
        says="who can play through that link: people who sign in; anyone who has it (signed); or no link",
    )  # fmt: skip
    yield Choice(
        section=section, name="link_days", field="link_days", kind=_AMOUNT, right=_AMOUNT_RIGHT, read=int,
        says="days from the call until a signed link expires",
    )  # fmt: skip
    yield Choice(
        section=section, name="public_link", field="public_link", kind=bool, right=BOOL,
        says="use CloudTalk's public link if its API has no recording",
    )  # fmt: skip
    yield Choice(
        section=section, name="do_not_record", field="do_not_record", kind=list[Name], read=as_tuple,
        right='a list of texts such as ["+15550100101"]', private=True,
        says="never fetch recordings with these numbers, the customer's or yours", example='["+15550100101"]',
    )  # fmt: skip


def _later() -> Iterator[Choice]:
    """What a later version brings: the file may name it, and `rules check` says that it does nothing."""
    for section, name, what in (
        ("insights", "summary", "ask for the summary"),
        ("insights", "sentiment", "ask for the sentiment"),
        ("insights", "smart_notes", "ask for smart notes"),
        ("messages", "write", "write text messages"),
    ):
        yield Choice(
            section=section, name=name, field="", kind=bool, right=BOOL, says=f"no effect yet: {what}"
        )
    kind = Literal["note", "file", "none"]
    yield Choice(
        section="insights", name="transcript", field="", kind=kind, right=one_of(kind),
        says="no effect yet: ask for the transcript",
    )  # fmt: skip


CHOICES: tuple[Choice, ...] = (
    *_customer(), *_conversation(), *_agents(), *_calendar(), *_write(), *_recording(), *_later(),
)  # fmt: skip
BY_PLACE: Mapping[str, Choice] = {choice.place: choice for choice in CHOICES}
# What `then` takes, by its bare name. `write` is for rules alone, and a status there is for every outcome.
THEN: Mapping[str, Choice] = {
    "write": Choice(
        section="then", name="write", field="write", kind=bool, right=BOOL,
        says="whether the call is written at all",
    ),
    **{choice.then: choice for choice in CHOICES if choice.section not in LATER},
    "status": replace(
        BY_PLACE["conversation.status"], kind=Status, right=one_of(Status),
        read=lambda status: MappingProxyType(dict.fromkeys(Outcome, status)),
    ),
}  # fmt: skip


def _canonical(name: object) -> object:
    if name not in CANONICAL_KEYS:
        raise ValueError("unknown key")
    return name


WebhookKeys = dict[Annotated[str, BeforeValidator(_canonical)], list[FilledText]]


def read_webhook_keys(value: Mapping[str, list[str]]) -> Mapping[str, str]:
    return MappingProxyType({folded(name): canonical for canonical, names in value.items() for name in names})


def values_in(rules: rules_model.Rules) -> dict[str, Any]:
    """Every choice by its name in the file, as plain values."""
    found = {one.place: one.shown(getattr(rules, one.field)) for one in CHOICES if one.field}
    return {**found, "webhook_keys": dict(rules.webhook_keys)}


def plain_then(then: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule sets, as the file has it."""
    return {
        name: next(iter(then[one.field].values())) if name == "status" else one.shown(then[one.field])
        for name, one in THEN.items()
        if one.field in then
    }
