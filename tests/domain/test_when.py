"""The conditions of a rule, one by one: which calls fit, and what is said of those that do not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from bridge.domain.hours import read_hours
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.phone import WITHHELD, Kind, Phone
from bridge.domain.rules.when import Facts, When, why_not
from tests.domain.given import call

# A Wednesday, 14:30 in Berlin.
START = datetime(2026, 11, 25, 13, 30, tzinfo=UTC)
OPEN = read_hours("Mon-Fri 08:00-18:00")
AMERICAN = Phone(Kind.E164, "+15550100177")


def reason(when: When, caller: Any = None, **fields: Any) -> str | None:
    """Why a call with these fields does not fit."""
    facts = Facts(
        call=call(**{"started_at": START, **fields}),
        caller=caller,
        zone="Europe/Berlin",
        holidays=frozenset({date(2026, 12, 25), date(2027, 1, 1)}),
    )
    return why_not(when, facts)


# The condition, facts that fit it, facts that do not, and what is said of these.
TABLE: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    (
        {"direction": (Direction.INCOMING,)},
        {"direction": Direction.INCOMING},
        {"direction": Direction.OUTGOING},
        "direction is outgoing, not incoming",
    ),
    ({"direction": (Direction.INCOMING,)}, {}, {"direction": None}, "direction is not known, not incoming"),
    (
        {"outcome": (Outcome.MISSED, Outcome.VOICEMAIL)},
        {"talk_seconds": 0},
        {"talk_seconds": 5},
        "outcome is answered, not missed or voicemail",
    ),
    ({"line": ("+1 (555) 010-0101",)}, {}, {"internal": AMERICAN}, "line is +15550100177, not"),
    ({"line": ("sales  TEAM",)}, {"line_name": "Sales team"}, {"line_name": "Support"}, "line is Support"),
    ({"group": ("support",)}, {"groups": ("Support",)}, {"groups": ("Sales",)}, "group is Sales, not"),
    ({"group": ("support",)}, {"groups": ("a", "SUPPORT")}, {"groups": ()}, "group is none, not support"),
    ({"tag": ("vip",)}, {"tags": ("VIP", "New")}, {"tags": ("New",)}, "tag is New, not vip"),
    ({"agent": ("400101",)}, {}, {"agent_id": 400102}, "agent is Bo Sample, not 400101"),
    ({"agent": ("bo@example.com",)}, {"agent_email": "Bo@Example.com"}, {}, "agent is Bo Sample, not"),
    (
        {"agent": ("bo sample",)},
        {},
        {"agent_id": None, "agent_name": None},
        "agent is nobody, not bo sample",
    ),
    ({"country": ("US", "CA")}, {"external": AMERICAN}, {}, "country is GB, not US or CA"),
    ({"country": ("GB",)}, {}, {"external": WITHHELD}, "country is not known, not GB"),
    ({"min_talk_s": 10}, {"talk_seconds": 10}, {"talk_seconds": 9}, "talk time is 9 s, below 10 s"),
    ({"min_talk_s": 1}, {"talk_seconds": 1}, {"talk_seconds": None}, "talk time is 0 s, below 1 s"),
    ({"max_talk_s": 10}, {"talk_seconds": 10}, {"talk_seconds": 11}, "talk time is 11 s, above 10 s"),
    ({"internal": False}, {}, {"direction": Direction.INTERNAL}, "internal: yes"),
    ({"internal": True}, {"direction": Direction.INTERNAL}, {}, "internal: no"),
    ({"voicemail": True}, {"talk_seconds": 0, "is_voicemail": True}, {}, "voicemail: no"),
    ({"out_of_hours": True}, {"out_of_hours": True}, {"out_of_hours": False}, "out of hours: no"),
    ({"out_of_hours": True}, {"out_of_hours": True}, {"out_of_hours": None}, "out of hours: not known"),
    ({"transferred": True}, {"transferred": True}, {}, "transferred: not known"),
    ({"transferred": False}, {"transferred": False}, {"transferred": True}, "transferred: yes"),
    ({"ai_agent": True}, {"ai_agent": True}, {"ai_agent": False}, "AI agent: no"),
    ({"type": ("callback",)}, {"call_type": "callback"}, {"call_type": "regular"}, "type is regular"),
    ({"hours": OPEN}, {}, {"started_at": None}, "start is not known, so hours cannot fit"),
    (
        {"hours": OPEN},
        {},
        {"started_at": datetime(2026, 11, 28, 13, 30, tzinfo=UTC)},
        "start is Sat 14:30, outside Mon-Fri 08:00-18:00",
    ),
    (
        {"hours": OPEN},
        {"started_at": datetime(2026, 12, 28, 9, 0, tzinfo=UTC)},
        {"started_at": datetime(2026, 12, 25, 9, 0, tzinfo=UTC)},
        "2026-12-25 is a holiday",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "fits", "other", "says"), TABLE)
def test_each_condition_lets_calls_in_and_says_why_not(
    condition: dict[str, Any], fits: dict[str, Any], other: dict[str, Any], says: str
) -> None:
    when = When(**condition)

    assert reason(when, **fits) is None
    assert (reason(when, **other) or "").startswith(says)


def test_each_condition_is_in_the_table() -> None:
    assert {name for condition, *_ in TABLE for name in condition} | {"caller"} == set(When.__slots__)


def test_who_calls_fits_once_it_is_known() -> None:
    known, new = When(caller="known"), When(caller="unknown")

    assert (reason(known, "known"), reason(new, "unknown")) == (None, None)
    assert reason(known, "unknown") == "caller is unknown, not known"
    assert reason(new, None) == "caller is not looked up yet, not unknown"


def test_all_conditions_have_to_fit_and_a_rule_without_any_fits_every_call() -> None:
    both = When(direction=(Direction.INCOMING,), min_talk_s=600)

    assert reason(both, talk_seconds=600) is None
    assert reason(both, talk_seconds=97) == "talk time is 97 s, below 600 s"
    assert reason(When(), direction=None, started_at=None, talk_seconds=None) is None


@pytest.mark.parametrize(
    ("hours", "utc", "fits"),
    [
        # Winter begins on 2026-10-25 at 03:00, which becomes 02:00: that hour comes twice.
        ("Sun 02:00-03:00", "2026-10-25 00:30", True),
        ("Sun 02:00-03:00", "2026-10-25 01:30", True),
        ("Sun 02:00-03:00", "2026-10-25 02:00", False),
        ("Mon-Fri 08:00-18:00", "2026-10-23 06:00", True),  # Friday before: 08:00 is 06:00 UTC
        ("Mon-Fri 08:00-18:00", "2026-10-26 06:59", False),  # Monday after: 08:00 is 07:00 UTC
        ("Mon-Fri 08:00-18:00", "2026-10-26 07:00", True),
        ("Mon-Fri 08:00-18:00", "2026-10-26 17:00", False),
        # Summer begins on 2026-03-29 at 02:00, which becomes 03:00: that hour never comes.
        ("Sun 02:00-03:00", "2026-03-29 00:59", False),
        ("Sun 02:00-03:00", "2026-03-29 01:00", False),
        ("Sun 03:00-04:00", "2026-03-29 01:00", True),
        ("Sun 00:00-24:00", "2026-03-29 21:59", True),
        ("Sun 00:00-24:00", "2026-03-29 22:00", False),
        ("Mon-Fri 08:00-18:00", "2026-03-30 06:00", True),
        ("Mon-Fri 08:00-18:00", "2026-03-30 16:00", False),
        # A night that the clock changes in.
        ("Sat 22:00-06:00", "2026-10-25 04:59", True),
        ("Sat 22:00-06:00", "2026-10-25 05:00", False),
        ("Sat 22:00-06:00", "2026-03-29 03:59", True),
        ("Sat 22:00-06:00", "2026-03-29 04:00", False),
        # One day, and the end is not included.
        ("Thu 08:00-18:00", "2026-11-26 16:59", True),
        ("Thu 08:00-18:00", "2026-11-26 17:00", False),
        ("Thu 08:00-18:00", "2026-11-25 10:00", False),
        # By the day in Berlin, not that of UTC.
        ("Fri 00:00-01:00", "2026-11-26 23:30", True),
        # A holiday there, though not yet by UTC.
        ("Mon-Sun 00:00-24:00", "2026-12-24 23:30", False),
        ("Mon-Sun 00:00-24:00", "2026-12-25 23:30", True),
    ],
)
def test_hours_are_those_of_the_wall_clock(hours: str, utc: str, fits: bool) -> None:
    at = datetime.fromisoformat(f"{utc}+00:00")

    assert (reason(When(hours=read_hours(hours)), started_at=at) is None) is fits
