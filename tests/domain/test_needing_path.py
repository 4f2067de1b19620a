"""Which calls need call detail for their path: it costs a request each."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.domain.call import Call
from bridge.domain.outcome import Direction, Stage
from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When

INCOMING = Call(direction=Direction.INCOMING, talk_seconds=60, stage=Stage.ENDED)
OUTGOING = Call(direction=Direction.OUTGOING, talk_seconds=60, stage=Stage.ENDED)
SALES = Rule(when=When(group=("Sales",)), then={"tags": ("sales",)})
SALES_IN = Rule(when=When(group=("Sales",), direction=(Direction.INCOMING,)), then={"tags": ("sales",)})
NOT_OUT = Rule(when=When(direction=(Direction.OUTGOING,)), then={"write": False})
ALL_TAGS = Rule(when=When(), then={"tags": ("phone",)})
NOTE_IN = Rule(when=When(direction=(Direction.INCOMING,)), then={"note_path": True})
NO_NOTE = Rule(when=When(), then={"note_path": False})
ON_LINE = Rule(when=When(line=("Support", "+15550100101")), then={"tags": ("support",)})
ON_NUMBER = Rule(when=When(line=("+15550100101",)), then={"tags": ("support",)})
NEW_CALLER = Rule(when=When(caller="unknown"), then={"note_path": True})
NEW_UNTAGGED = Rule(when=When(caller="unknown"), then={"tags": ()})


@pytest.mark.parametrize(
    ("rules", "incoming", "outgoing"),
    [
        ((), False, False),
        ((ALL_TAGS,), False, False),
        ((SALES,), True, True),
        ((SALES_IN,), True, False),
        # A rule before it has settled what it would set.
        ((ALL_TAGS, SALES), False, False),
        ((SALES, ALL_TAGS), True, True),
        ((NOT_OUT, SALES), True, False),
        ((NOTE_IN,), True, False),
        # Webhooks have our number, not what it is called.
        ((ON_LINE,), True, True),
        ((ON_NUMBER,), False, False),
        ((NO_NOTE, NOTE_IN), False, False),
        # Who calls is looked up later.
        ((NEW_CALLER,), True, True),
        ((NEW_UNTAGGED, SALES), True, True),
    ],
)
def test_detail_is_needed_only_where_a_choice_depends_on_it(
    rules: tuple[Rule, ...], incoming: bool, outgoing: bool
) -> None:
    chosen = Rules(rules=rules)

    assert (chosen.needs_path(INCOMING), chosen.needs_path(OUTGOING)) == (incoming, outgoing)


@pytest.mark.parametrize(("rules", "needed"), [((), True), ((NO_NOTE,), False), ((NOT_OUT,), True)])
def test_the_note_alone_may_need_it(rules: tuple[Any, ...], needed: bool) -> None:
    assert Rules(note_path=True, rules=rules).needs_path(INCOMING) is needed
    assert Rules(note_path=True, rules=(NOT_OUT,)).needs_path(OUTGOING) is False


def test_without_a_file_no_call_needs_it() -> None:
    assert not Rules().needs_path(INCOMING)
    assert not Rules().asks_path
