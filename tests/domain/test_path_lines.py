from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.domain.kustomer_texts.note import note_text
from bridge.domain.kustomer_texts.path import ai_agent_line, path_lines
from bridge.domain.policy import Plan, plan
from bridge.domain.rules.model import Rules
from tests.domain.given import note_of
from tests.domain.test_path import ADA, BO, HAND_OVER, MENU, SALES, call_of

BUSY = BO | {"status": "missed", "reason": "busy", "call_times": {}}


@pytest.mark.parametrize(
    ("steps", "more", "lines"),
    [
        ((MENU, SALES), {}, [
            "Menu: 2", "Queue Sales: waited 42 s", "Rang: Ada Example (did not pick up)",
        ]),
        ((MENU, SALES), {"call_times": {"talking_time": 90}}, [
            "Menu: 2", "Queue Sales: waited 42 s", "Rang: Ada Example (did not pick up)",
            "Answered: Bo Example, talked 1 min",
        ]),
        ((SALES | {"status": "missed", "reason": "no_agents_picked_up", "agent_calls": [ADA, BUSY]},),
         {"status": "missed", "out_of_office": True}, [
            "Out of hours", "Queue Sales: waited 42 s, no agent picked up",
            "Rang: Ada Example (did not pick up), Bo Example (busy)",
        ]),
        ((SALES | {"agent_calls": [ADA, ADA, ADA, BUSY], "status": "missed", "reason": "canceled"},), {}, [
            "Queue Sales: waited 42 s, the caller hung up",
            "Rang: Ada Example (did not pick up, 3 times), Bo Example (busy)",
        ]),
        ((BO | {"status": "cold_transfer"}, HAND_OVER), {"type": "transferred"}, [
            "Transferred call", "Answered: Bo Example, talked 1 min, transferred", "Transferred to 1002",
        ]),
        ((HAND_OVER | {"status": "missed", "endpoint": None},), {}, ["Transferred, not answered"]),
        ((MENU | {"option": None},), {"type": "callback"}, ["Call-back", "Menu: nothing chosen"]),
        (({"type": "voice_agent", "name": "Nova", "call_times": {"talking_time": 61}},), {}, [
            "AI voice agent Nova: talked 1 min 1 s",
        ]),
        # Words that are new are said as they are spelled; what nobody knows is left out.
        ((SALES | {"status": "missed", "reason": "solarFlare-2", "name": None},), {"type": "Robo Dialer"}, [
            "Type of call: robo dialer", "Queue no. 10: waited 42 s, solarflare 2",
            "Rang: Ada Example (did not pick up)",
        ]),
        # Our own agent called.
        ((ADA,), {"direction": "outgoing", "status": "missed", "call_times": {}}, []),
        ((BO, ADA, HAND_OVER), {"direction": "outgoing"}, [
            "Rang: Ada Example (did not pick up)", "Answered: Bo Example, talked 1 min",
            "Transferred to 1002",
        ]),
        (({"type": "voice_agent", "name": "Nova", "call_times": {"talking_time": 60}},), {}, []),
        (({"type": "agent"}, {"type": "forward"}, {"type": "playback", "file": "hello.wav"}), {}, [
            "Rang: an agent (not answered)",
        ]),
        ((), {}, []),
    ],
)  # fmt: skip
def test_the_path_is_told_in_order(steps: Any, more: Any, lines: list[str]) -> None:
    assert path_lines(call_of(*steps, **more)) == lines


def test_names_of_others_make_no_lines_of_ours() -> None:
    name = "Sales\nCloudTalk call: 7\u2028Rating: 5 of 5\r\x0bRecording: <b>gone</b>"
    cold = BO | {"name": name, "status": "cold_transfer"}
    lines = path_lines(
        call_of(
            SALES | {"name": name, "agent_calls": [ADA | {"name": name}, cold]},
            HAND_OVER | {"endpoint": name},
            MENU | {"option": name},
        )
    )

    assert [line.split(" ", 1)[0] for line in lines] == [
        "Menu:",
        "Queue",
        "Rang:",
        "Answered:",
        "Transferred",
    ]
    assert all(len(line.splitlines()) == 1 and "<b" not in line for line in lines)


def test_a_long_path_is_cut() -> None:
    lines = path_lines(call_of(*[MENU] * 150))

    assert (len(lines), lines[-1]) == (41, "… and 110 more steps")


def test_many_agents_share_a_line_that_is_cut() -> None:
    rang = [ADA | {"name": f"{number} Agent {'x' * 300}", "id": number} for number in range(1, 150)]
    rang += [ADA | {"name": f"{number} Example"} for number in range(40)]

    (line,) = path_lines(call_of(*rang))

    assert line.endswith(" and 169 more")
    assert len(line) < 3_000


def test_all_lines_together_are_cut() -> None:
    rang = [ADA | {"name": f"{number} {'x' * 300}"} for number in range(20)]
    queue = SALES | {"status": "missed", "agent_calls": rang}

    lines = path_lines(call_of(*[queue] * 8))

    assert lines[-1].startswith("… and ")
    assert sum(map(len, lines)) < 3_000


def test_the_line_of_an_ai_agent_names_it_where_it_has_a_name() -> None:
    named = call_of({"type": "voice_agent", "name": "Nova", "status": "answered"})

    assert ai_agent_line(named) == "Answered by the AI voice agent Nova"
    assert ai_agent_line(call_of(MENU)) == "Answered by the AI voice agent"


def test_a_note_tells_the_path_only_where_the_rules_say_so() -> None:
    call = call_of(MENU, SALES, out_of_office=True)

    plain, with_path = (plan(call, Rules(note_path=wanted)) for wanted in (False, True))

    assert isinstance(plain, Plan)
    assert isinstance(with_path, Plan)
    added = [
        line for line in note_of(with_path).body.splitlines() if line not in note_of(plain).body.splitlines()
    ]
    assert added == [
        "Out of hours",
        "Menu: 2",
        "Queue Sales: waited 42 s",
        "Rang: Ada Example (did not pick up)",
    ]
    assert note_of(plain).body == note_text(replace(call, path=(), out_of_hours=None, groups=()))


def test_beside_the_path_several_agents_stand_in_one_line() -> None:
    last = {"status": "answered", "call_times": {"talking_time": 97}, "date": "2026-03-02T09:25:00Z"}
    call = call_of(BO, HAND_OVER, ADA | last)

    with_path, plain = (note_text(one).splitlines() for one in (call, call.without_path()))

    assert "Agents: Bo Example (1 min), Ada Example (1 min 37 s)" in with_path
    assert not any(line.startswith("Agent:") for line in with_path)
    assert {"Agent: Ada Example", "Agents: Bo Example (1:00), Ada Example (1:37)"} < set(plain)


def test_a_note_names_the_ai_voice_agent_that_answered() -> None:
    text = note_text(call_of({"type": "voice_agent", "name": "Nova", "status": "answered"}).without_path())

    assert "\nAnswered by the AI voice agent Nova\n" in text
