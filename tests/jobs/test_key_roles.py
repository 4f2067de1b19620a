"""Kustomer's roles, one by one: the table of deploy/kustomer.md is what happens to calls without each.

The sandbox's key has every role. One is taken away by refusing the requests that Kustomer documents for it,
with the documented answer (401 that names it).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.domain.rules.file import read_rules_text
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended

PAGE = (Path(__file__).parents[2] / "deploy" / "kustomer.md").read_text()
EVER = 1_000_000
CALL_ID = 1000000500
UUID = "11111111-2222-4333-8444-555555555500"
PHONE = "+441632960304"
CALL: dict[str, Any] = {"id": CALL_ID, "uuid": UUID, "external_number": PHONE, "talking_time": 97}
IDS = {"call_id": str(CALL_ID), "call_uuid": UUID}

# Role -> the requests that need it, by method and path.
NEEDED_BY: dict[str, tuple[tuple[str, str], ...]] = {
    "customer.read": (("GET", r"^/v1/customers(?!/\w+/conversations)"),),
    "customer.create": (("POST", r"^/v1/customers$"),),
    "customer.update": (("PUT", r"^/v1/customers/"), ("PATCH", r"^/v1/customers/")),
    "conversation.read": (
        ("GET", r"^/v1/conversations/[^/]+$"),
        ("GET", r"^/v1/customers/\w+/conversations$"),
    ),
    "conversation.create": (("POST", r"^/v1/conversations$"),),
    "conversation.update": (
        ("PUT", r"^/v1/conversations/"),
        ("PATCH", r"^/v1/conversations/"),
        ("POST", r"^/v1/conversations/\w+/tags$"),
    ),
    "note.read": (("GET", r"^/v1/notes"), ("GET", r"^/v1/conversations/\w+/notes$")),
    "note.create": (("POST", r"^/v1/conversations/\w+/notes$"), ("POST", r"^/v1/attachments$")),
    "note.update": (("PUT", r"^/v1/notes/"), ("PATCH", r"^/v1/notes/")),
    "attachment.read": (("GET", r"^/v1/attachments/"),),
    "user.read": (("GET", r"^/v1/users"),),
    "search.create": (("POST", r"^/v1/customers/search$"),),
}


@dataclass
class Desk:
    bridge: Bridge
    sandbox: RunningSandbox

    def end(self) -> None:
        self.sandbox.cloudtalk.add_call(**CALL, recorded=True, recording_seconds=1)
        self.bridge.receive("call-ended", ended(call_id=CALL_ID, uuid=UUID, contact_name="Ada Example"))
        self.bridge.run_jobs_for(30, step_s=5)

    def record(self) -> None:
        self.bridge.receive("recording-uploaded", IDS)
        self.bridge.run_jobs_for(60, step_s=5)

    def tag(self) -> None:
        self.sandbox.cloudtalk.add_call(**CALL, recorded=True, recording_seconds=1, tags=["Later"])
        self.bridge.receive("call-modified", IDS)
        self.bridge.run_jobs_for(60, step_s=5)

    def lose_the_reply_to_the_conversation(self) -> None:
        self.sandbox.kustomer.lose_next_reply(method="POST", path="/conversations$")

    def attach_a_file_of_a_person(self) -> None:
        (note,) = self.sandbox.kustomer.notes
        self.sandbox.kustomer.add_attachment(
            note["id"], name="photo.png", content=b"1", content_type="image/png"
        )

    def take(self, role: str) -> None:
        body = json.dumps({"errors": [{"status": 401, "title": f"Missing role org.permission.{role}"}]})
        for method, path in NEEDED_BY[role]:
            self.sandbox.kustomer.answer_next(
                body, "application/json", status=401, method=method, path=path, times=EVER
            )

    def give_back(self) -> None:
        self.sandbox.kustomer.forget_faults()
        self.bridge.run_jobs_for(120, step_s=5)


def nothing(desk: Desk) -> None:
    """Before the call there is nothing."""


def a_customer_without_a_name(desk: Desk) -> None:
    desk.sandbox.kustomer.add_customer(phones=[{"type": "mobile", "phone": PHONE}])


def an_agent(desk: Desk) -> None:
    desk.sandbox.cloudtalk.add_agent(id=400101, email="bo.sample@example.com")
    desk.sandbox.kustomer.add_user(name="Bo Sample", email="bo.sample@example.com")


@dataclass(frozen=True, kw_only=True)
class Case:
    """What has to happen so that a role is needed.

    Attributes:
        goes_on: whether calls are written without the role.
        meanwhile: happens between the note and the recording; the role is taken then.
    """

    goes_on: bool = False
    rules: str = ""
    before: Callable[[Desk], None] = nothing
    meanwhile: Callable[[Desk], None] | None = None


CASES = {
    **dict.fromkeys(NEEDED_BY, Case()),
    "customer.update": Case(before=a_customer_without_a_name),
    "conversation.read": Case(before=Desk.lose_the_reply_to_the_conversation),
    "conversation.update": Case(rules="[conversation]\ncall_tags = true\n"),
    "attachment.read": Case(meanwhile=Desk.attach_a_file_of_a_person),
    "user.read": Case(goes_on=True, rules='[agents]\nassign = "longest"\n', before=an_agent),
    "search.create": Case(goes_on=True, rules='[customer]\nmatch = ["phone", "shared_phone"]\n'),
}


def promised() -> dict[str, str]:
    """Role -> what the page says of calls without it."""
    return dict(re.findall(r"(?m)^ *\| `org\.permission\.(\w+\.\w+)` \|.*\| (.+?) \|$", PAGE))


def play(desk: Desk, case: Case, role: str) -> None:
    """A recorded call that gets a tag later, with a key that lacks the role."""
    case.before(desk)
    if case.meanwhile is None:
        desk.take(role)
    desk.end()
    if case.meanwhile is not None:
        case.meanwhile(desk)
        desk.take(role)
    desk.record()
    desk.tag()


def assert_all_is_written_once(desk: Desk) -> None:
    (note,), (_,), (_,) = (
        desk.sandbox.kustomer.notes, desk.sandbox.kustomer.conversations, desk.sandbox.kustomer.customers,
    )  # fmt: skip
    assert "Call tags: Later" in note["attributes"]["body"]
    assert all(one["referenced"] for one in desk.sandbox.kustomer.attachments)
    assert f"call-{CALL_ID}.mp3" in str(desk.sandbox.kustomer.attachments)


@pytest.mark.parametrize(
    "role",
    [role if role == "note.create" else pytest.param(role, marks=pytest.mark.slow) for role in NEEDED_BY],
)
def test_without_a_role_happens_what_the_page_says(
    role: str, redis_client: redis.Redis, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    case = CASES[role]
    rules = read_rules_text(f"version = 2\n{case.rules}").rules
    desk = Desk(Bridge(redis_client, sandbox, rules, data_dir=tmp_path), sandbox)

    play(desk, case, role)

    asked = sandbox.kustomer.requests
    assert any(one.status == 401 for one in asked), "this case does not need the role"
    assert [one for one in asked if not roles_for(one.method, one.path)] == []
    # Nothing is given up: it waits, or is written without what the role is for.
    assert desk.bridge.ledger.parked() == {}
    states = {one["state"] for one in desk.bridge.deps.connections.state().values()}
    if case.goes_on:
        assert promised()[role].startswith("calls are written")
        assert states == set()
    else:
        assert promised()[role].startswith(("calls wait", "recordings wait", "changes wait"))
        assert states == ({"KEY_REFUSED"} if role == "customer.read" else {"ROLE_MISSING"})
        assert bool(sandbox.kustomer.notes) is not promised()[role].startswith("calls wait")
    desk.give_back()
    assert_all_is_written_once(desk)


def roles_for(method: str, path: str) -> list[str]:
    return [
        role
        for role, needed in NEEDED_BY.items()
        if any(method == verb and re.search(pattern, path) for verb, pattern in needed)
    ]
