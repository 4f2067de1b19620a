"""One bridge by one rules file, calls made up for it, and the requests that they cost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import redis

from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from tests.support import Bridge, ended

PHONE = "+441632960304"
LINE = "+15550100101"
FIRST_ID = 1000000501
_SETTLES_WITHIN_S = 60
_PAGES = {"KUSTOMER_APP_URL": "https://acme.kustomerapp.com"}


class Try:
    """One bridge with its rules, and calls made up as they are needed."""

    def __init__(self, client: redis.Redis, sandbox: RunningSandbox, rules: str, folder: Path) -> None:
        client.flushall()
        sandbox.world.empty_kustomer()
        sandbox.world.empty_cloudtalk()
        self.sandbox = sandbox
        file = folder / "rules.toml"
        file.write_text(rules, "utf-8")
        environ = {"REDIS_URL": "unix:///unused", **({"CALLBRIDGE_RULES": str(file)} if rules else {})}
        rules_of_file = Settings.from_env(environ, dotenv=None).rules
        self.bridge = Bridge(client, sandbox, rules_of_file, debounced=True, also=_PAGES)
        # What its AI says of the calls that follow.
        self.insights: dict[str, Any] = {}
        # What CloudTalk was given of each call.
        self.calls: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)
        self._began = datetime.now(UTC) - timedelta(minutes=30)

    def call(
        self,
        *,
        recorded: bool = False,
        announced_after_s: int | None = None,
        known_to_cloudtalk: bool = True,
        **more: Any,
    ) -> None:
        """A call comes, and all that follows from it is done; by default it was answered.

        Args: announced_after_s: of the recording; then the call ended just now.
        """
        number = next(self._numbers)
        talk_s = int(more.pop("talking_time", 97))
        began = self._began + timedelta(minutes=number)
        if announced_after_s is not None:
            began = datetime.now(UTC) - timedelta(seconds=15 + talk_s)
        body = ended(
            call_id=1000000500 + number,
            uuid=str(UUID(int=number, version=4)),
            external_number=more.pop("external_number", PHONE),
            talking_time=str(talk_s),
            started_at=began.isoformat(),
            answered_at=(began + timedelta(seconds=14)).isoformat() if talk_s else None,
            ended_at=(began + timedelta(seconds=14 + talk_s)).isoformat(),
            **({} if talk_s else {"agent_id": None, "agent_first_name": None, "agent_last_name": None}),
            **more,
        )
        if known_to_cloudtalk:
            told = {
                "id": int(body["call_id"]),
                "uuid": body["call_uuid"],
                "external_number": body["external_number"] or None,
                "internal_number": body["internal_number"],
                "direction": body["direction"],
                "agent_id": 400101 if talk_s else None,
                "started_at": body["started_at"],
                "talking_time": talk_s,
                "recorded": recorded,
                "recording_seconds": 1 if recorded else None,
                "waiting_time": 14,
                "contact_id": 1400000104,
                "contact_name": "Ada Example",
                "notes": ["Wants the March invoice again."],
                "tags": ["Billing", "VIP"],
                "insights": self.insights,
            }
            self.calls.append(told)
            self.sandbox.cloudtalk.add_call(**told)
        self.bridge.receive("call-ended", body)
        if announced_after_s is not None:
            self.bridge.run_jobs_for(announced_after_s, step_s=5)
        if recorded:
            self.bridge.receive("recording-uploaded", {"call_id": body["call_id"]})
        self.settle()

    def step(self) -> int:
        """A number that no other step has."""
        return next(self._numbers)

    def settle(self) -> None:
        self.bridge.run_jobs_for(_SETTLES_WITHIN_S, step_s=20)

    def miss(self, **more: Any) -> None:
        self.call(talking_time=0, **more)

    def customer(self, **more: Any) -> str:
        phones = [{"type": "mobile", "phone": PHONE}]
        return self.sandbox.kustomer.add_customer(**{"name": "Ada Example", "phones": phones, **more})

    def agents(self) -> None:
        self.sandbox.cloudtalk.add_agent(id=400101)
        self.sandbox.kustomer.add_user(name="Bo Sample", email="bo.sample@example.com")


Do = Callable[[Try], object]


def _nothing(_: Try) -> None:
    """Nobody has called yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Args: what: the call that is counted, or the choice and the call. before: what there was before it."""

    what: str
    rules: str = ""
    before: Do = _nothing
    then: Do = Try.call


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    what: str
    kustomer: int
    cloudtalk: int


def measure(row: Row, client: redis.Redis, sandbox: RunningSandbox, folder: Path) -> Measured:
    one = Try(client, sandbox, row.rules, folder)
    row.before(one)
    sandbox.kustomer.forget_requests()
    sandbox.cloudtalk.forget_requests()
    row.then(one)
    return Measured(
        what=row.what, kustomer=len(sandbox.kustomer.requests), cloudtalk=len(sandbox.cloudtalk.requests)
    )
