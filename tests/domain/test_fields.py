"""The values of a call that reports count, and the attributes that hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.domain.call import Call
from bridge.domain.fields import ENDINGS, FIELDS, field_values, need_path, problem_with
from bridge.domain.insights import Insights
from bridge.domain.missed import CallerCall, Kind, is_first_of_day, next_of_day
from bridge.domain.outcome import Direction
from bridge.domain.path import Step
from bridge.domain.policy import Plan, plan
from bridge.domain.rules.file import read_rules_text
from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from tests.domain.given import call

ALL = {name: one.attribute for name, one in FIELDS.items()}
NOBODY: dict[str, Any] = {"agent_id": None, "agent_name": None, "answered_at": None, "talk_seconds": 0}
QUEUE = Step(kind="queue", name="Support", answered=False, reason="no_agents_picked_up")
RANG = Step(kind="agent", name="Cy Fictional", answered=False, reason="busy")


def values(one: Call, **names: str) -> dict[str, Any]:
    return field_values(one, names or ALL, zone="Europe/Berlin", first_of_day=True)


ANSWERED = {
    "callOutcomeStr": "answered",
    "callDirectionStr": "incoming",
    "callStartedAt": "2026-03-02T09:23:00.000+00:00",
    "callEndedAt": "2026-03-02T09:24:51.000+00:00",
    "callTalkSecondsNum": 97,
    "callWaitSecondsNum": 14,
    "callLineStr": "+15550100101",
    "callAgentStr": "Bo Sample",
    "callFirstOfDayBool": True,
}
IN_QUEUE = call(
    **NOBODY,
    path=(
        Step(kind="menu", option="2"), Step(kind="menu", option="1"), Step(kind="menu"),
        Step(kind="queue", id=7, answered=False), Step(kind="queue", name="Sales", agents=(RANG,)),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (call(), ANSWERED),
        (
            call(direction=Direction.OUTGOING, **NOBODY),
            {"callOutcomeStr": "missed", "callDirectionStr": "outgoing", "callTalkSecondsNum": 0},
        ),
        (call(is_voicemail=True, **NOBODY), {"callOutcomeStr": "voicemail"}),
        (call(direction=Direction.INTERNAL), {"callOutcomeStr": "internal", "callDirectionStr": "internal"}),
        (call(rating=4, ring_seconds=9, hold_seconds=0), {
            "callRatingNum": 4, "callRingSecondsNum": 9, "callHoldSecondsNum": 0,
        }),
        (call(insights=Insights(sentiment="positive")), {"callSentimentStr": "positive"}),
        (IN_QUEUE, {
            "callMenuStr": "2 > 1", "callQueueStr": "Sales", "callMissedReasonStr": "busy",
            "callAgentStr": None,
        }),
        (call(**NOBODY, path=(QUEUE,), out_of_hours=True), {"callMissedReasonStr": "out_of_hours"}),
        # The queue's reason sums up why those who rang in it did not answer.
        (call(**NOBODY, path=(Step(kind="queue", answered=False, reason="canceled", agents=(RANG,)),)), {
            "callMissedReasonStr": "canceled",
        }),
        # Somebody answered in the end.
        (call(path=(QUEUE,)), {"callQueueStr": "Support", "callMissedReasonStr": None}),
        (call(agent_name=None), {"callAgentStr": "400101"}),
        (call(internal=None, line_name="Support"), {"callLineStr": "Support"}),
    ],
)  # fmt: skip
def test_each_kind_of_call_has_its_values(one: Call, expected: dict[str, Any]) -> None:
    found = values(one)

    assert {name: found.get(name) for name in expected} == expected


def test_what_is_not_known_is_left_out() -> None:
    assert set(values(Call())) == {"callOutcomeStr", "callFirstOfDayBool"}
    assert field_values(Call(), {"first_of_day": "xBool"}, zone="UTC", first_of_day=None) == {}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"talk_s": "talkStr"}, "97"),
        ({"first_of_day": "firstTxt"}, "true"),
        ({"started_at": "startStr"}, "2026-03-02T10:23:00+01:00"),
    ],
)
def test_the_ending_of_an_attribute_is_the_type_of_its_values(names: dict[str, str], expected: str) -> None:
    assert list(values(call(), **names).values()) == [expected]


def test_text_from_outside_is_one_short_line_without_markup() -> None:
    hostile = f"Bo\u2028<script>alert(1)</script>\nCloudTalk call: 7 {'x' * 2000}"

    text = values(call(agent_name=hostile))["callAgentStr"]

    assert len(text) <= 1024 and "<" not in text and len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"outcomes": "outcomeStr"}, "there is no such field"),
        ({"talk_s": "talkBool"}, "'talkBool' cannot hold it"),
        ({"line": "Str"}, "'Str' cannot hold it"),
        ({"line": "sameStr", "agent": "sameStr"}, "sameStr holds line already"),
        ({"line": "lineTxt", "talk_s": "talkNum"}, None),
    ],
)
def test_a_mapping_that_cannot_work_is_a_mistake(names: dict[str, str], said: str | None) -> None:
    problem = problem_with(names)

    assert (problem[1] if problem else None) == said


def test_the_usual_names_fit_their_fields_and_differ() -> None:
    assert problem_with(ALL) is None
    assert all(one.attribute.endswith(ENDINGS[one.kind][0]) for one in FIELDS.values())


def test_only_fields_that_are_chosen_cost_call_detail() -> None:
    incoming = call()
    queue = {"queue": "queueStr"}
    costs = [
        Rules().needs_path(incoming),
        Rules(fields_as="conversation").needs_path(incoming),
        Rules(fields_as="conversation", field_names=queue).needs_path(incoming),
        Rules(field_names=queue).needs_path(incoming),
        Rules(fields_as="conversation", rules=(Rule(when=When(), then={"field_names": queue}),)).needs_path(
            incoming
        ),
        Rules(
            field_names=queue, rules=(Rule(when=When(caller="known"), then={"fields_as": "conversation"}),)
        ).needs_path(incoming),
        Rules(
            fields_as="conversation", field_names=queue, rules=(Rule(when=When(), then={"write": False}),)
        ).needs_path(incoming),
    ]

    assert costs == [False, False, True, False, True, True, False]
    assert not need_path({})


def test_an_attribute_of_the_rules_themselves_counts_before_a_field() -> None:
    rules = Rules(fields_as="conversation", custom={"callLineStr": "ours", "teamStr": "a"})

    want = plan(call(), rules)

    assert isinstance(want, Plan)
    custom = want.conversation.custom
    assert (custom["callLineStr"], custom["teamStr"], custom["callOutcomeStr"]) == ("ours", "a", "answered")
    assert isinstance(plain := plan(call(), Rules()), Plan) and plain.conversation.custom == {}


def test_a_rule_chooses_for_its_calls_where_the_values_stand() -> None:
    found = read_rules_text(
        """
        version = 2
        [[rule]]
        when = { outcome = "missed" }
        then = { fields = "klass", klass = "lost-call", field_names = { line = "lineStr" } }
        """
    )
    missed, answered = call(**NOBODY), call()

    wants = [plan(one, found.rules.for_call(one)) for one in (missed, answered)]

    drafts = [want.klass for want in wants if isinstance(want, Plan)]
    assert not found.wrong and drafts[1:] == [None]
    assert drafts[0] is not None
    assert (drafts[0].klass, drafts[0].custom) == ("lost-call", {"lineStr": "+15550100101"})
    assert drafts[0].external_id.endswith(":klass")


def _at(text: str, number: int = 0) -> CallerCall:
    return CallerCall(key=f"uuid:{number}", kind=Kind.MISS, started_at=datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("other", "is_first"),
    [
        ("2026-03-02T08:00:00+00:00", False),
        ("2026-03-02T10:00:00+00:00", True),
        # The day before in Berlin, but the same day in UTC, and the other way round.
        ("2026-03-01T22:30:00+00:00", True),
        ("2026-03-01T23:30:00+00:00", False),
    ],
)
def test_the_first_call_of_a_number_that_day_is_told_by_the_days_of_the_time_zone(
    other: str, is_first: bool
) -> None:
    own = _at("2026-03-02T09:00:00+00:00")
    calls = [own, _at(other, 1)]

    assert is_first_of_day(own, calls, "Europe/Berlin") is is_first


def test_the_call_that_was_first_before_is_the_next_one_of_the_day() -> None:
    own = _at("2026-03-02T09:00:00+00:00")
    later = [_at(str(own.started_at + timedelta(hours=hours)), hours) for hours in (3, 1, 20)]

    assert next_of_day(own, [*later, own], "Europe/Berlin") == later[1]
    assert next_of_day(own, [own], "Europe/Berlin") is None
    assert next_of_day(later[0], [*later, own], "UTC") is None
    assert later[1].started_at == datetime(2026, 3, 2, 10, tzinfo=UTC)
