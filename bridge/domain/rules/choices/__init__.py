"""Every choice of a rules file of version 2, a module for each section: name, type, default and meaning.

The models that read the file, the JSON Schema, the commented default file, the tables of
deploy/rules.md and what `/rules` says all follow from these. To add a choice, add a field to
`Rules` and an entry in its section, and run the tests: they say where else it has to be named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator

from bridge.domain.outcome import Outcome, Status
from bridge.domain.rules import model as rules_model
from bridge.domain.rules.choice import Choice, one_of
from bridge.domain.rules.choices import (
    agents,
    calendar,
    contacts,
    conversation,
    cue_card,
    customer,
    fields,
    insights,
    messages,
    recording,
    write,
)
from bridge.domain.rules.values import FilledText
from bridge.domain.webhook.keys import CANONICAL_KEYS, folded

# Section -> what it is about.
SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "customer": "Whose call it is in Kustomer.",
        "conversation": "The conversation that a call gets.",
        "agents": "Who owns the conversation. Without this section nobody is assigned.",
        "calendar": "Opening hours and holidays, in TIME_ZONE.",
        "write": "Which calls are written, and how.",
        "fields": "Values of a call for reports, as custom attributes.",
        "recording": "What becomes of recordings.",
        "cue_card": "Who calls, shown in CloudTalk to the agents whose phone rings.",
        "insights": "What CloudTalk's AI says of an answered call. Each costs a request for each such call.",
        "messages": "Text messages. Blocks of `[[rule]]` are about calls and do not change them.",
        "contacts": "What contacts in CloudTalk and customers in Kustomer take over from each other.",
        "webhook_keys": "Other names that your CloudTalk templates use for a value.",
    }
)


# Sections that are not about calls, so that no rule for calls takes their choices.
NOT_OF_CALLS = ("messages", "contacts")
CHOICES: tuple[Choice, ...] = (
    *customer.CHOICES, *conversation.CHOICES, *agents.CHOICES, *calendar.CHOICES, *write.CHOICES,
    *fields.CHOICES, *recording.CHOICES, *cue_card.CHOICES, *insights.CHOICES, *messages.CHOICES,
    *contacts.CHOICES,
)  # fmt: skip
BY_PLACE: Mapping[str, Choice] = {choice.place: choice for choice in CHOICES}
# What `then` takes, by its bare name; whether a call is written comes first. A status is for every outcome.
THEN: Mapping[str, Choice] = {
    "write": BY_PLACE["write.write"],
    **{choice.then: choice for choice in CHOICES if choice.section not in NOT_OF_CALLS},
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
