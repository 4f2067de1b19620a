"""The choices for one call: which rule sets what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.call_list_item import ListedCall
from bridge.domain.outcome import Direction
from bridge.domain.policy import kept_out
from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from tests.domain.given import ADA, OUR_LINE, call

START = datetime(2026, 3, 2, 9, 23, tzinfo=UTC)


def rules_of(*blocks: tuple[dict[str, Any], dict[str, Any]], **choices: Any) -> Rules:
    """Rules with these `when` and `then`, in their order."""
    made = (
        Rule(when=When(**when), then=then, number=number, line=number * 10)
        for number, (when, then) in enumerate(blocks, 1)
    )
    return Rules(rules=tuple(made), **choices)


def test_the_first_rule_that_sets_a_choice_wins_it() -> None:
    rules = rules_of(
        ({"min_talk_s": 3600}, {"tags": ("long",), "priority": 1}),
        ({"direction": (Direction.INCOMING,)}, {"tags": ("in",)}),
        ({}, {"tags": ("all",), "team": "Front desk"}),
        team="Nobody",
        queue="q1",
    )

    mine = rules.for_call(call(talk_seconds=60))

    assert (mine.tags, mine.team, mine.priority, mine.queue) == (("in",), "Front desk", None, "q1")
    assert {name: rule.number for name, rule in mine.set_by.items()} == {"tags": 2, "team": 3}
    assert mine.origin_of("tags") == "rule 2 (line 20) says"


def test_without_rules_the_choices_are_the_file_s_own() -> None:
    rules = Rules()

    assert rules.for_call(call()) is rules


_BLOCKS = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {},
            optional={
                "min_talk_s": st.sampled_from([0, 30, 300]),
                "direction": st.sampled_from([(Direction.INCOMING,), (Direction.OUTGOING,)]),
                "caller": st.sampled_from(["known", "unknown"]),
                "tag": st.just(("VIP",)),
            },
        ),
        st.fixed_dictionaries(
            {}, optional={"write": st.booleans(), "team": st.sampled_from(["a", "b"]), "priority": st.just(1)}
        ),
    ),
    max_size=6,
)


@given(_BLOCKS, st.sampled_from([None, "known", "unknown"]), st.sampled_from([0, 60]))
def test_the_choices_depend_on_the_facts_alone(blocks: Any, caller: Any, talk: int) -> None:
    rules = rules_of(*blocks)
    facts = {"talk_seconds": talk, "tags": ("vip",)}

    mine = rules.for_call(call(**facts), caller)

    # Made again, of equal facts or of the choices themselves, they are the same.
    assert mine == rules_of(*blocks).for_call(call(**facts), caller)
    assert mine.for_call(call(**facts), caller) == mine
    # What no condition reads makes no difference.
    assert mine == rules.for_call(call(**facts, notes="other", contact_name="Bo"), caller)
    if not rules.caller_matters(call(**facts)):
        assert rules.for_call(call(**facts), "known") == rules.for_call(call(**facts), "unknown")


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ([({"max_talk_s": 10}, {"write": False})], "rule 1 (line 10) says not to write it"),
        ([({"min_talk_s": 10}, {"write": False})], ""),
        # A tag is known from call detail alone: it is asked for, and the sync then knows.
        ([({"tag": ("vip",)}, {"write": True}), ({}, {"write": False})], ""),
        ([({}, {"write": False}), ({"tag": ("vip",)}, {"write": True})], "rule 1 (line 10) says"),
        ([({"caller": "known"}, {"write": False})], ""),
        ([({"line": ("+15550100101",)}, {"write": False})], "rule 1 (line 10) says not to write it"),
        ([({"line": ("Front desk",)}, {"write": False})], ""),
        ([({"transferred": False}, {"write": False})], ""),
    ],
)
def test_a_call_that_only_the_list_tells_of_is_kept_out_where_that_is_certain(
    blocks: list[Any], says: str
) -> None:
    listed = ListedCall(
        call_id=1000000500,
        started_at=START,
        ended_at=START + timedelta(seconds=20),
        direction=Direction.INCOMING,
        external=ADA,
        internal=OUR_LINE,
        talk_seconds=8,
    )

    assert kept_out(listed.as_call(), rules_of(*blocks)).startswith(says) is True
    assert bool(kept_out(listed.as_call(), rules_of(*blocks))) is bool(says)
