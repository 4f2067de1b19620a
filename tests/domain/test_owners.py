"""Whose a call is: the candidates in order, and which Kustomer address is an agent's."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from bridge.domain.call import Call
from bridge.domain.outcome import Direction
from bridge.domain.owners import (
    Candidate,
    Owner,
    choose,
    is_shared,
    matching,
    needs_path,
    requests_for,
    team_named,
)
from bridge.domain.path import Participant, Step
from bridge.domain.rules.model import MissedOwner, Rules
from tests.domain.given import call

ADA = Participant(agent_id=1, name="Ada", email="ada@example.com", answered=True, talk_seconds=20)
BO = Participant(agent_id=2, name="Bo", email="bo@example.com", answered=True, talk_seconds=97)
CY = Participant(agent_id=3, name="Cy", email="cy@example.com", answered=True, talk_seconds=5)
RANG = Participant(agent_id=4, name="Di", email="di@example.com", reason="busy")
EVERYBODY = (RANG, ADA, BO, CY)


def missed(**fields: Any) -> Call:
    nobody: dict[str, Any] = {"talk_seconds": 0, "answered_at": None, "agent_id": None, "agent_name": None}
    return call(**{**nobody, **fields})


def chosen(told: Call, **rules: Any) -> list[tuple[str, str]]:
    found = choose(told, Rules(**{"assign": "longest", **rules}))
    assert found is not None
    return [(one.label, one.why) for one in found.candidates]


@pytest.mark.parametrize(
    ("assign", "owner"),
    [
        ("longest", ("bo@example.com", "talked longest")),
        ("first", ("ada@example.com", "answered first")),
        ("last", ("cy@example.com", "answered last")),
    ],
)
def test_an_answered_call_goes_to_one_of_those_who_answered(assign: str, owner: tuple[str, str]) -> None:
    assert chosen(call(participants=EVERYBODY), assign=assign) == [owner]


def test_somebody_who_answered_twice_talked_for_both_parts() -> None:
    again = Participant(agent_id=1, name="Ada", email="ada@example.com", answered=True, talk_seconds=90)

    assert chosen(call(participants=(ADA, BO, again))) == [("ada@example.com", "talked longest")]
    assert chosen(call(participants=(ADA, BO, again)), assign="last") == [
        ("ada@example.com", "answered last")
    ]


def test_nobody_is_chosen_where_the_rules_assign_nobody() -> None:
    assert choose(call(participants=EVERYBODY), Rules()) is None


def test_a_team_is_chosen_also_where_nobody_is_assigned() -> None:
    found = choose(call(participants=EVERYBODY), Rules(team="Sales"))

    assert found is not None
    assert (found.team, found.candidates) == ("Sales", ())


def test_an_outgoing_call_without_an_answer_goes_to_the_agent_who_made_it() -> None:
    told = call(direction=Direction.OUTGOING, talk_seconds=0, answered_at=None, agent_email="bo@example.com")

    assert chosen(told) == [("bo@example.com", "made the call")]


def test_a_missed_call_goes_to_the_agent_who_rang_last_on_its_path() -> None:
    steps = (Step(kind="queue"),)
    rang = (RANG, Participant(agent_id=5, name="Ed"))

    assert chosen(missed(participants=rang, path=steps)) == [("Ed", "rang last")]
    assert chosen(missed(participants=(RANG,))) == [("di@example.com", "rang last")]


def test_webhooks_do_not_say_who_of_several_rang_last() -> None:
    told = missed(participants=(RANG, Participant(agent_id=5)))

    found = choose(told, Rules(assign="longest"))

    assert found is not None
    assert (found.candidates, found.nobody) == ((), "CloudTalk does not say who rang last")
    assert needs_path(told, Rules(assign="longest"))
    assert not needs_path(told, Rules())
    assert not needs_path(told, Rules(assign="longest", missed_owner=("voicemail", "fallback")))
    assert not needs_path(missed(participants=(RANG,)), Rules(assign="longest"))


def test_webhooks_do_not_say_how_long_each_of_several_talked() -> None:
    untimed = (Participant(agent_id=1, answered=True), BO)

    assert needs_path(call(participants=untimed), Rules(assign="longest"))
    assert not needs_path(call(participants=untimed), Rules(assign="last"))
    assert not needs_path(call(participants=(ADA, BO)), Rules(assign="longest"))
    assert not needs_path(call(participants=untimed), Rules())


def test_the_agent_whom_the_end_of_a_missed_call_names_rang_last() -> None:
    told = missed(participants=(RANG, Participant(agent_id=5)), agent_id=5, agent_email="ed@example.com")

    assert chosen(told) == [("ed@example.com", "rang last")]


def test_a_missed_call_has_candidates_in_the_order_of_the_file() -> None:
    order: tuple[MissedOwner, ...] = ("voicemail", "favourite", "last_rung", "last_assignee", "fallback")
    told = missed(
        participants=(RANG,), is_voicemail=True, voicemail_email="support@example.com", contact_id=7
    )

    assert [why for _, why in chosen(told, missed_owner=order)] == [
        "gets the voicemail by e-mail",
        "favourite agent of the contact",
        "rang last",
        "owned the customer's last conversation",
    ]
    assert requests_for(told, Rules(assign="longest", missed_owner=order)) == (1, 1)
    assert requests_for(told, Rules(assign="longest")) == (0, 0)


def test_the_fallback_team_of_a_missed_call_is_in_the_order_or_not_used() -> None:
    with_it = choose(missed(), Rules(assign="longest", fallback_team="Support"))
    without = choose(missed(), Rules(assign="longest", fallback_team="Support", missed_owner=("last_rung",)))

    assert with_it is not None
    assert without is not None
    assert (with_it.fallback_team, without.fallback_team) == ("Support", "")


def test_the_choice_is_the_same_for_as_long_as_its_basis_is() -> None:
    one = choose(call(participants=EVERYBODY), Rules(assign="longest"))
    other = choose(call(participants=(*EVERYBODY, RANG), rating=4), Rules(assign="longest"))
    third = choose(call(participants=(ADA,)), Rules(assign="longest"))

    assert one is not None and other is not None and third is not None
    assert one.basis == other.basis != third.basis


@pytest.mark.parametrize(
    ("address", "users", "domains", "found"),
    [
        ("Bo@Example.com", {"a": "bo@example.com"}, (), ["a"]),
        ("bo+ct@example.com", {"a": "bo@example.com"}, (), ["a"]),
        ("bo@example.com", {"a": "bo+desk@example.com"}, (), ["a"]),
        ("bo+ct@example.com", {"a": "bo+desk@example.com"}, (), ["a"]),
        ("bo@example.com", {"a": "bo+desk@example.com", "b": "bo@example.com"}, (), ["b"]),
        ("bo+ct@example.com", {"a": "bo@example.com", "b": "bo+ct@example.com"}, (), ["b"]),
        ("bo@example.com", {"a": "bo+1@example.com", "b": "bo+2@example.com"}, (), ["a", "b"]),
        ("bo@calls.example.com", {"a": "bo@example.com"}, (), []),
        ("bo@calls.example.com", {"a": "bo@example.com"}, ("example.com",), ["a"]),
        ("bo@calls.example.com", {"a": "bo+x@example.org"}, ("example.com", "@example.org"), ["a"]),
        ("bo@example.com", {"a": "cy@example.com"}, ("example.com",), []),
    ],
)
def test_an_address_finds_the_nearest_user(
    address: str, users: dict[str, str], domains: tuple[str, ...], found: list[str]
) -> None:
    assert matching(address, users, domains) == found


@pytest.mark.parametrize("shared", ["2", "bo@example.com", "Bo+desk@Example.com", "all@example.com"])
def test_a_shared_account_is_known_by_number_or_address(shared: str) -> None:
    bo = Candidate(source="longest", agent_id=2, email="bo@example.com")

    assert is_shared(bo, "all@example.com", Rules(shared_accounts=(shared,)))
    assert not is_shared(bo, None, Rules(shared_accounts=("cy@example.com", "3")))


def test_a_team_is_named_by_id_or_name() -> None:
    teams = {"0" * 24: "Sales", "1" * 24: "Night  Shift", "2" * 24: "sales"}

    assert team_named("1" * 24, teams) == ["1" * 24]
    assert team_named("night shift", teams) == ["1" * 24]
    assert team_named("Sales", teams) == ["0" * 24, "2" * 24]
    assert team_named("Support", teams) == []


@pytest.mark.parametrize(
    ("owner", "says"),
    [
        (
            Owner(who="bo@example.com", why="talked longest", team="Sales"),
            "assigned to bo@example.com: talked longest; team Sales",
        ),
        (
            Owner(reasons=("no Kustomer user for cy@example.com",)),
            "nobody: no Kustomer user for cy@example.com",
        ),
        (Owner(team="Support", reasons=("no agent rang",)), "team Support: no agent rang"),
        (Owner(who="bo@example.com", by_person=True), "as somebody set it in Kustomer"),
    ],
)
def test_the_decision_is_told_in_a_sentence(owner: Owner, says: str) -> None:
    assert owner.says == says
    assert Owner.read(asdict(owner)) == owner


def test_the_path_is_needed_where_it_alone_says_who_owns_the_call() -> None:
    several = missed(participants=(RANG, Participant(agent_id=5)))
    spoke = call(participants=(replace(ADA, talk_seconds=0), BO))
    longest = Rules(assign="longest")

    assert needs_path(several, longest) and needs_path(spoke, longest)
    assert not needs_path(several, Rules()) and not needs_path(spoke, Rules(assign="last"))
    assert not needs_path(call(participants=(ADA,)), longest)
    assert not needs_path(call(participants=(ADA, BO)), longest)
