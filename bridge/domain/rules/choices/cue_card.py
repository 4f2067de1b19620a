"""Choices of `[cue_card]`: who calls, shown to the agents whose phone rings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bridge.domain.rules.choice import BOOL, Choice, as_mapping
from bridge.domain.rules.values import FilledText, Id

_Number = Annotated[int, Field(strict=True, ge=0, le=10)]

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="cue_card", name="show", field="cue_card", kind=bool, right=BOOL, bare="cue_card",
        says="while an incoming call rings, show the agents in CloudTalk who calls, according to Kustomer",
        costs="1 of CloudTalk, more if it does not know the call yet; 1 to 3 of Kustomer (customer, open "
        "conversations, company)",
    ),
    Choice(
        section="cue_card", name="conversations", field="cue_card_conversations", kind=_Number,
        right="a whole number from 0 to 10", bare="cue_card_conversations",
        says="how many open conversations the card names; 0: only how many there are",
    ),
    Choice(
        section="cue_card", name="unknown", field="cue_card_unknown", kind=bool, right=BOOL,
        bare="cue_card_unknown", says="show a card for a caller whom Kustomer does not know, too",
    ),
    Choice(
        section="cue_card", name="tags", field="cue_card_tags", kind=dict[Id, FilledText], read=as_mapping,
        right='ids of Kustomer tags with their names, such as { "5f0e0000000000000000a188" = "VIP" }',
        bare="cue_card_tags", example='{ "5f0e0000000000000000a188" = "VIP" }',
        says="names of the customer's tags for the card: Kustomer's API tells their ids only",
    ),
)  # fmt: skip
