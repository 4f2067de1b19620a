"""One scene's sandbox and bridge: calls are told to it as CloudTalk would, on one Monday in March."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import redis

from bridge.domain.fields import definition
from bridge.ledger import keys
from bridge.ledger.calls import missed
from bridge.sandbox import sample
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.store import Document
from bridge.sandbox.world import World
from bridge.settings import Settings
from tests.gallery.people import Team
from tests.support import Bridge

HERE = Path(__file__).parent
MORNING = datetime(2026, 3, 2, 8, 23, tzinfo=UTC)
BO, CY = 400101, 400102
NAMES = {BO: ("Bo", "Sample"), CY: ("Cy", "Fictional")}
_ATTRIBUTES = ["callBackAt", "callOutcomeStr", "callTalkSecondsNum", "callAgentStr", "callFirstOfDayBool"]
_SETTINGS = {"TIME_ZONE": "Europe/Berlin", "KUSTOMER_APP_URL": "https://example.kustomerapp.com"}
_FIRST_ID = 1000000500
_RECORDING_S = 12
_AFTER_S = 300
_KEPT_S = 100 * 365 * 86_400


class Clock:
    """Says that Monday, a few minutes after the calls; it goes on as time does.

    Args:
        back: so long before that.
    """

    def __init__(self) -> None:
        self.back = timedelta()
        self._began = time.monotonic()

    def now(self) -> float:
        """Unix seconds."""
        return (MORNING - self.back).timestamp() + _AFTER_S + time.monotonic() - self._began


class Stage:
    """Args: rules: the name of a rules file of this folder. clock: of the sandbox."""

    def __init__(
        self, client: redis.Redis, sandbox: RunningSandbox, rules: str, team: Team, clock: Clock
    ) -> None:
        client.flushall()
        file = HERE / f"{rules}.toml"
        environ = {"REDIS_URL": "unix:///unused", "CALLBRIDGE_RULES": str(file), **_SETTINGS}
        chosen = Settings.from_env(environ, dotenv=None).rules
        self.sandbox, self.team, self.clock = sandbox, team, clock
        self.bridge = Bridge(client, sandbox, chosen, public_url="https://bridge.example.com", also=_SETTINGS)
        # So that the day is one like any other, before which nothing can have been forgotten.
        born_at = MORNING - timedelta(days=1)
        client.hset(keys.META, "born_at", str(int(born_at.timestamp() * 1000)))
        self._number = 0

    def call(
        self,
        *,
        after_min: int = 0,
        talk_s: int = 0,
        wait_s: int = 14,
        direction: str = "incoming",
        agent: int | None = None,
        recorded: bool = False,
        insights: dict[str, Any] | None = None,
        annotated: bool = False,
        asked_out: Sequence[tuple[str, str]] = (),
        to: str | None = None,
        **detail: Any,
    ) -> dict[str, str]:
        """A call ends, and all that follows from it is done; returns its ids.

        Args:
            agent: whom the end of the call names.
            annotated: the agent wrote a note, set a tag, and the customer gave five stars.
            to: another number than the team's caller.
            detail: what only CloudTalk's API tells (see `sandbox.cloudtalk.calls.CallFields`).
        """
        self._number += 1
        began = MORNING + timedelta(minutes=after_min)
        told: dict[str, Any] = {
            "external_number": to or self.team.phone,
            "internal_number": self.team.line,
            "direction": direction,
            "started_at": began.isoformat(),
            "answered_at": (began + timedelta(seconds=wait_s)).isoformat() if talk_s else None,
            "ended_at": (began + timedelta(seconds=wait_s + talk_s)).isoformat(),
        }
        ids = {"call_id": str(_FIRST_ID + self._number), "call_uuid": str(UUID(int=self._number, version=4))}
        contact = None if to else self.team.caller
        notes, tags = ([self.team.notes], self.team.tags) if annotated else ([], [])
        self.sandbox.cloudtalk.add_call(
            **told,
            id=int(ids["call_id"]),
            uuid=ids["call_uuid"],
            contact_name=contact,
            agent_id=agent,
            talking_time=talk_s,
            waiting_time=wait_s,
            recorded=recorded,
            recording_seconds=_RECORDING_S if recorded else None,
            notes=notes,
            tags=tags,
            rating=5 if annotated else None,
            insights=insights,
            queue=self.team.queue,
            **detail,
        )
        first, last = NAMES.get(agent or 0, ("", ""))
        ended = {
            **told,
            **ids,
            "agent_id": str(agent or ""),
            "agent_first_name": first,
            "agent_last_name": last,
            "contact_name": contact or "",
            "talking_time": str(talk_s),
            "waiting_time": str(wait_s),
            "is_voicemail": str(bool(detail.get("is_voicemail"))).lower(),
            "notes": "\n".join(notes),
            "tags": ",".join(tags),
        }
        if asked_out:
            self.tell("voice-agent", {**ids, "voice_agent_name": detail["voice_agent"], **dict(asked_out)})
        self.tell("call-ended", ended)
        if recorded:
            self.tell("recording-uploaded", ids)
        if insights is not None:
            self.tell("insights-ready", ids)
        self.settle()
        return ids

    def tell(self, trigger: str | None, body: dict[str, Any]) -> None:
        self.bridge.receive(trigger, {name: value for name, value in body.items() if value is not None})

    def settle(self, *, for_s: float = 40, step_s: float = 20) -> None:
        """Do whatever becomes due in this time."""
        self.bridge.run_jobs_for(for_s, step_s=step_s)

    def tag(self, tag_id: str, name: str) -> None:
        """A tag that Kustomer has, under this id."""
        with self.sandbox.world.lock:
            self.sandbox.world.store.put("tag", tag_id, {"id": tag_id, "name": name})

    def known(self, **more: Any) -> str:
        """Kustomer knows the caller; returns the customer's id."""
        phones = [{"type": "mobile", "phone": self.team.phone}]
        return self.sandbox.kustomer.add_customer(name=self.team.caller, phones=phones, **more)


@contextlib.contextmanager
def stage(client: redis.Redis, rules: str, team: Team) -> Iterator[Stage]:
    """With a sandbox of its own, whose clock says that Monday too."""
    clock = Clock()
    world = World(now=clock.now)
    try:
        sample.load_agents(world)
        sample.load_kustomer(world)
        line: Document = {"id": 36, "number": team.line, "name": team.line_name}
        world.store.put("line", team.line, line)
        # The index of a number's calls would have dropped that Monday's.
        with RunningSandbox(world=world) as sandbox, patch.object(missed, "KEPT_S", _KEPT_S):
            sandbox.kustomer.define_klass(definition("call", {}))
            sandbox.kustomer.read_as(custom_attributes=_ATTRIBUTES)
            yield Stage(client, sandbox, rules, team, clock)
    finally:
        world.close()
