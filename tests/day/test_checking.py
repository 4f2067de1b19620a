"""That the comparison finds what is wrong: each test spoils one thing of what it should find in order."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.day.checking import Held, compare
from tests.day.expected import Team
from tests.day.script import Call, Day, write_day

DAY = write_day(13, calls=1)
CALL = next(call for call in DAY.calls if call.story == "recorded")
SHORT = Day(calls=[CALL], people=[CALL.caller] if CALL.caller else [])
WANTED = Team().expected(SHORT)


def _good(call: Call) -> Held:
    (note,) = WANTED.notes
    (talk,) = WANTED.talks
    return Held(
        customers={
            "c1": {"attributes": {"name": talk.customer, "phones": [{"phone": call.phone}]}},
        },
        talks={
            "t1": {
                "attributes": {
                    "externalId": talk.key,
                    "name": talk.name,
                    "status": talk.status,
                    "direction": talk.direction,
                    "assignedUsers": [],
                    "assignedTeams": [],
                },
                "relationships": {"customer": {"data": {"id": "c1"}}},
                "tagNames": [],
            }
        },
        notes=[
            {
                "attributes": {"externalId": next(iter(note.keys)), "body": "\n".join(note.lines)},
                "relationships": {
                    "conversation": {"data": {"id": "t1"}},
                    "attachments": {"data": [{"id": "f1"}]},
                },
            }
        ],
        files={"f1": {"attributes": {"name": note.attachment}}},
        users={"u1": "bo.sample@example.com"},
    )


def test_a_kustomer_as_it_should_be_has_no_findings() -> None:
    assert compare(WANTED, _good(CALL)) == []


@pytest.mark.parametrize(
    ("says", "path", "value"),
    [
        ("customer too many", ("customers", "c1", "attributes", "name"), "Somebody else"),
        ("numbers", ("customers", "c1", "attributes", "phones"), []),
        ("status is open", ("talks", "t1", "attributes", "status"), "open"),
        ("owner is", ("talks", "t1", "attributes", "assignedUsers"), ["u1"]),
        ("teams is", ("talks", "t1", "attributes", "assignedTeams"), ["Sales"]),
        ("tags is", ("talks", "t1", "tagNames"), ["phone"]),
        ("priority is", ("talks", "t1", "attributes", "priority"), 3),
        ("name is", ("talks", "t1", "attributes", "name"), "A call"),
        ("direction is", ("talks", "t1", "attributes", "direction"), "out"),
        ("a customer who is gone", ("talks", "t1", "relationships", "customer", "data", "id"), "c2"),
        ("lacks 'Agent:", ("notes", 0, "attributes", "body"), "Answered incoming call"),
        ("notes too many", ("notes", 0, "attributes", "externalId"), "another"),
        ("attached is []", ("notes", 0, "relationships", "attachments", "data"), []),
    ],
)
def test_what_is_wrong_is_found(says: str, path: tuple[str | int, ...], value: object) -> None:
    held = _good(CALL)
    there: Any = getattr(held, str(path[0]))
    for step in path[1:-1]:
        there = there[step]
    there[path[-1]] = value

    assert any(says in finding for finding in compare(WANTED, held))


def test_what_is_there_twice_is_found() -> None:
    held = _good(CALL)
    held.customers["c2"] = held.customers["c1"]
    held.talks["t2"] = copy.deepcopy(held.talks["t1"])
    held.notes = [*held.notes, *held.notes]

    findings = compare(WANTED, held)

    assert sum(one.startswith("duplicate") for one in findings) == 3
