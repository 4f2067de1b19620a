"""What CloudTalk and Kustomer hold before the day, and what CloudTalk sends of each call."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bridge.sandbox.kustomer.customers import Customers
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.world import digits
from tests.day.people import AGENTS, HOUSE, HOUSE_ID, TEAMS, VOICE_AGENT, Person
from tests.day.script import DEEDS_AFTER, PARTS, Call, Day

RECORDING_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One delivery. Args: at: its place in the day, seconds after the start of its call."""

    call: Call
    trigger: str
    body: dict[str, Any]
    at: float


def furnish(sandbox: RunningSandbox, day: Day, *, house: bool = False) -> None:
    """Agents, users, teams and the customers whom Kustomer knows before the first call."""
    # However many calls one customer gets in a minute: the day is over in one.
    sandbox.kustomer.limit(1_000_000, window_s=0.5)
    sandbox.cloudtalk.limit(1_000_000, window_s=0.5)
    for team in TEAMS:
        sandbox.kustomer.add_team(name=team)
    if house:
        with sandbox.world.lock:
            fresh = Customers(sandbox.world).fresh(HOUSE_ID, {"name": HOUSE}, company=None)
            sandbox.world.store.put("customer", HOUSE_ID, fresh)
    for agent in AGENTS.values():
        sandbox.cloudtalk.add_agent(
            id=agent.id, firstname=agent.first, lastname=agent.last, email=agent.email
        )
        if agent.user:
            gone = {"deletedAt": "2026-09-01T08:00:00.000Z"} if agent.deactivated else {}
            sandbox.kustomer.add_user(name=agent.name, email=agent.user, **gone)
    for person in day.people:
        _add_customers(sandbox, person)


def _add_customers(sandbox: RunningSandbox, person: Person) -> None:
    for name in person.customers:
        phones = "sharedPhones" if person.shared else "phones"
        sandbox.kustomer.add_customer(name=name, **{phones: [{"type": "mobile", "phone": person.phone}]})
    if person.merged_into:
        email = f"c{digits(person.phone)}@example.com"
        sandbox.kustomer.add_customer(name=person.merged_into, emails=[{"type": "work", "email": email}])


def cloudtalk_knows(sandbox: RunningSandbox, call: Call, *, in_the_end: bool) -> None:
    """What the API says of the call: at its end, or with what was changed later."""
    sandbox.cloudtalk.add_call(
        id=call.call_id,
        uuid=str(call.uuid),
        external_number=call.phone or None,
        internal_number=call.line,
        direction=call.direction,
        agent_id=agent.id if (agent := call.agent) else None,
        contact_name=(call.caller.contact or None) if call.caller else None,
        started_at=call.started_at,
        ended_at=call.ended_at,
        talking_time=call.talk_s,
        waiting_time=call.wait_s,
        wrapup_time=0,
        transferred_from=call.answered[0][0].id if len(call.answered) > 1 else None,
        voice_agent=VOICE_AGENT if call.voice_agent_s else None,
        rang=[one.id for one in call.rang if one not in [talked for talked, _ in call.answered]],
        is_voicemail=call.voicemail,
        notes=[call.notes] if call.notes else [],
        tags=list(call.last_tags if in_the_end else call.tags),
        recorded=call.recorded,
        recording_seconds=RECORDING_S if call.recorded else None,
    )


def webhooks(call: Call) -> Iterator[Webhook]:
    """In the order in which they usually come."""
    ids = {"call_id": str(call.call_id), "call_uuid": str(call.uuid)}
    if call.ids == "id":
        del ids["call_uuid"]

    def told(trigger: str, at: float, **more: Any) -> Webhook:
        return Webhook(call=call, trigger=trigger, body={**ids, **more}, at=at)

    for agent in call.rang:
        yield told("call-ringing", 1, agent_id=str(agent.id))
    talked_s = float(call.wait_s)
    for agent, seconds in call.answered:
        answered_at = call.started_at + timedelta(seconds=talked_s)
        yield told("call-answered", talked_s, agent_id=str(agent.id), answered_at=answered_at.isoformat())
        talked_s += seconds
    if call.asked_out:
        yield told(
            "voice-agent",
            call.wait_s + call.voice_agent_s,
            voice_agent_name=VOICE_AGENT,
            **dict(call.asked_out),
        )
    yield told("call-ended", talked_s + 1, **_ended(call))
    if call.recorded:
        yield told("recording-uploaded", talked_s + 9)
    if call.late_tags is not None:
        yield told("call-modified", talked_s + 600, tags=",".join(call.late_tags))


def _ended(call: Call) -> dict[str, Any]:
    body: dict[str, Any] = {
        "external_number": call.phone,
        "internal_number": call.line,
        "direction": call.direction,
        "contact_name": call.caller.contact if call.caller else "",
        "talking_time": str(call.talk_s),
        "waiting_time": str(call.wait_s),
        "started_at": call.started_at.isoformat(),
        "ended_at": call.ended_at.isoformat(),
        "is_voicemail": str(call.voicemail).lower(),
        "tags": ",".join(call.tags),
        "notes": call.notes,
    }
    if agent := call.agent:
        body |= {
            "agent_id": str(agent.id),
            "agent_first_name": agent.first,
            "agent_last_name": agent.last,
        }
    return body


def part(day: Day, number: int) -> list[Webhook]:
    """The webhooks of one part of the day, by their time."""
    calls = [call for call in day.calls if call.part == number]
    told = [
        (call.started_at.timestamp() + one.at, n, one)
        for call in calls
        for n, one in enumerate(webhooks(call))
    ]
    return [one for *_, one in sorted(told, key=lambda item: item[:2])]


def shuffled(told: Sequence[Webhook], seed: int, *, copies: int) -> list[Webhook]:
    """Each of them so many times, in any order."""
    found = [one for one in told for _ in range(copies)]
    random.Random(seed).shuffle(found)
    return found


__all__ = ["DEEDS_AFTER", "PARTS", "Webhook", "cloudtalk_knows", "furnish", "part", "shuffled", "webhooks"]
