"""A call as CloudTalk shows it, in two very different ways: in the list, and in the detail of one call."""

from __future__ import annotations

import html
import zlib
from datetime import datetime, timedelta
from typing import Any

from bridge.sandbox.store import Document
from bridge.sandbox.world import World, digits, iso

COMPANY_ID = 100123
# How long the first of two agents talked.
_HANDED_ON_S = 30


def is_answered(call: Document) -> bool:
    return bool(call["talking_time"] > 0)


def list_item(call: Document, world: World) -> Document:
    """As in the list, whose types are not those of its schema: ids and seconds as text, numbers as
    integers without their plus, names HTML-escaped. It has neither status nor uuid.
    """
    internal = int(digits(call["internal_number"]))
    line = world.store.get("line", call["internal_number"]) or {}
    return {
        "Cdr": {
            "id": str(call["id"]),
            "billsec": str(call["talking_time"]),
            "type": call["direction"],
            "country_code": _country_code(call["internal_number"]),
            "public_external": int(digits(call["external_number"])) if call["external_number"] else "",
            "public_internal": internal,
            "recorded": call["recorded"],
            "is_voicemail": call["is_voicemail"],
            "fax_email": "0",
            "is_redirected": "0",
            "redirected_from": "",
            "transferred_from": str(call.get("first_leg") or call.get("transferred_from") or ""),
            "is_local": True,
            "user_id": None if call["agent_id"] is None else str(call["agent_id"]),
            "talking_time": str(call["talking_time"]),
            "waiting_time": str(call["waiting_time"]),
            "wrapup_time": str(call["wrapup_time"]),
            "started_at": call["started_at"],
            "answered_at": call["answered_at"],
            "ended_at": call["ended_at"],
            "recording_link": f"https://my.cloudtalk.io/r/play/{call['id']}",
        },
        "Contact": _contact_in_list(call),
        "CallNumber": {
            "id": str(line.get("id", 1)),
            "internal_name": line.get("name", ""),
            "caller_id_e164": internal,
            "country_code": _country_code(call["internal_number"]),
            "area_code": "",
        },
        "BillingCall": {"price": "0.000000"},
        "Agent": _agent_in_list(call["agent_id"], world),
        "Notes": [{"id": str(_number_for(note)), "note": note} for note in call["notes"]],
        "Tags": [{"id": str(_number_for(tag)), "name": tag} for tag in call["tags"]],
        "Ratings": []
        if call["rating"] is None
        else [{"id": str(call["id"]), "type": "agent", "rating": call["rating"]}],
    }


def detail(call: Document, world: World) -> Document:
    """As the analytics host shows one call: honest types, numbers with a plus, the uuid and the steps."""
    line = world.store.get("line", call["internal_number"]) or {}
    external = call["external_number"] or ""
    return {
        "cdr_id": call["id"],
        "uuid": call["uuid"],
        "company_id": COMPANY_ID,
        "date": call["started_at"],
        "contact": {
            "id": call["contact_id"],
            "name": call["contact_name"],
            "country": {"1": "US", "44": "GB"}.get(_country_code(external)),
            "number": external,
        },
        "call_tags": [{"id": _number_for(tag), "label": tag} for tag in call["tags"]],
        "call_rating": call["rating"],
        "internal_number": {
            "id": line.get("id", 1),
            "name": line.get("name", ""),
            "number": call["internal_number"],
        },
        "call_times": _times(call),
        "direction": call["direction"],
        "type": call.get("type") or ("transferred" if _is_transferred(call) else "regular"),
        "status": "answered" if is_answered(call) else "missed",
        "call_steps": _steps(call, world),
        "notes": call["notes"],
        "recorded": call["recorded"],
        "out_of_office": bool(call.get("out_of_office")),
    }


def _is_transferred(call: Document) -> bool:
    return bool(call.get("transferred_from") or call.get("first_leg"))


def _steps(call: Document, world: World) -> list[Document]:
    answered = is_answered(call)
    rang = [
        _agent_step(call, world, agent_id, talking_s=0, missed=True) for agent_id in call.get("rang") or []
    ]
    agents = [*rang, *_talks(call, world)]
    steps = _before(call)
    if call.get("voice_agent"):
        return [*steps, _voice_agent_step(call)]
    if call["direction"] != "incoming":
        return [*steps, *agents]
    queue = {
        "type": "queue",
        "id": 10,
        "name": call.get("queue") or "Queue10",
        "date": call["started_at"],
        "call_times": _times(call),
        "status": "answered" if answered else "missed",
        "reason": None if answered else "no_agents_picked_up",
        **_resolved(call),
        "strategy": "ringall",
        "agent_calls": agents,
    }
    return [*steps, queue]


def _before(call: Document) -> list[Document]:
    if call.get("menu") is None:
        return []
    menu = {"type": "ivr", "id": 1, "date": call["started_at"], "total_time": 5, "option": call["menu"]}
    hello = {"type": "playback", "id": 2, "date": call["started_at"], "file": "welcome.wav", "total_time": 4}
    return [hello, menu]


def _voice_agent_step(call: Document) -> Document:
    """How CloudTalk shows a voice agent is not documented; its product is called VoiceAgent."""
    return {
        "type": "voice_agent",
        "id": None,
        "name": call["voice_agent"],
        "date": call["answered_at"],
        "call_times": _times(call),
        "status": "answered" if is_answered(call) else "missed",
    }


def _talks(call: Document, world: World) -> list[Document]:
    """The agents who talked, and the transfer from one to the other."""
    steps: list[Document] = []
    handed_on_s = 0
    if call.get("transferred_from"):
        handed_on_s = min(_HANDED_ON_S, call["talking_time"] // 3)
        agent = world.store.get("agent", str(call["agent_id"])) or {}
        first = _agent_step(call, world, call["transferred_from"], talking_s=handed_on_s)
        steps += [first, _transfer(call, agent.get("extension"), after_s=handed_on_s)]
    if call["agent_id"] is not None:
        talking_s = call["talking_time"] - handed_on_s
        last = _agent_step(call, world, call["agent_id"], talking_s=talking_s)
        steps.append(last | {"date": _later(call, handed_on_s)} if handed_on_s else last)
    if call.get("next_leg"):
        other = world.store.get("call", str(call["next_leg"])) or {}
        agent = world.store.get("agent", str(other.get("agent_id"))) or {}
        after_s = call["talking_time"]
        next_ = _agent_step(call, world, other.get("agent_id"), talking_s=other.get("talking_time") or 0)
        next_ |= {"call_id": call["next_leg"], "date": _later(call, after_s)}
        steps += [_transfer(call, agent.get("extension"), after_s=after_s), next_]
    return steps


def _later(call: Document, seconds: int) -> str | None:
    """So long after it was answered."""
    at = call["answered_at"]
    return None if at is None else iso(datetime.fromisoformat(at) + timedelta(seconds=seconds))


def _transfer(call: Document, endpoint: str | None, *, after_s: int) -> Document:
    return {
        "type": "transfer",
        "id": None,
        "date": _later(call, after_s),
        "endpoint": endpoint,
        "status": "answered",
    }


def _resolved(call: Document) -> Document:
    by = call.get("resolved_by")
    return {
        "resolved_by": by,
        "resolved_by_call": {"id": by, "date": None, "agent": {"id": None, "name": None}},
    }


def _agent_step(
    call: Document, world: World, agent_id: int | None, *, talking_s: int, missed: bool = False
) -> Document:
    answered = is_answered(call) and not missed
    times = _times(call) | {"talking_time": talking_s}
    del times["waiting_time"]
    if not answered:
        times |= {"talking_time": None, "wrap_up_time": None, "holding_time": None}
    return {
        "type": "agent",
        "id": agent_id,
        "name": _full_name(world.store.get("agent", str(agent_id)) or {}),
        "group_ids": [],
        "date": call["started_at"],
        "call_id": call["id"],
        "call_times": times,
        "status": "answered" if answered else "missed",
        # Of the agent who placed a call CloudTalk documents no reason.
        "reason": None if answered or call["direction"] == "outgoing" else "not_picked_up",
        **_resolved(call),
    }


def _times(call: Document) -> dict[str, Any]:
    times = {
        "talking_time": call["talking_time"],
        "wrap_up_time": call["wrapup_time"],
        "ringing_time": call["ringing_time"],
        "waiting_time": call["waiting_time"],
        "holding_time": call["holding_time"],
    }
    total = sum(call[name] for name in ("waiting_time", "talking_time", "holding_time", "wrapup_time"))
    return {**times, "total_time": total}


def _contact_in_list(call: Document) -> Document:
    name = call["contact_name"]
    return {
        "id": None if call["contact_id"] is None else str(call["contact_id"]),
        "name": None if name is None else html.escape(name, quote=False),
        **dict.fromkeys(("title", "company", "industry", "address", "city", "zip", "state")),
        "type": None if call["contact_id"] is None else "contact",
        "tags": [],
        "external_urls": [],
        "contact_numbers": [int(digits(call["external_number"]))] if call["external_number"] else [],
        "contact_emails": [],
        "custom_fields": [],
        "favorite_agent": None,
    }


def _agent_in_list(agent_id: int | None, world: World) -> Document:
    empty: Document = dict.fromkeys(("id", "firstname", "lastname", "email", "language", "role", "status"))
    empty |= {
        "fullname": "(unknown)",
        "default_outbound_number": None,
        "associated_numbers": [],
        "groups": [],
    }
    if agent_id is None:
        return empty
    agent = world.store.get("agent", str(agent_id))
    if agent is None:
        return empty | {"id": str(agent_id)}
    return empty | {
        "id": str(agent_id),
        "firstname": agent["firstname"],
        "lastname": agent["lastname"],
        "fullname": _full_name(agent),
        "email": agent["email"],
        "language": "en",
        "role": "Agent",
        "status": "online",
        "default_outbound_number": int(digits(agent["default_number"])),
        "associated_numbers": [int(digits(agent["default_number"]))],
    }


def _full_name(agent: Document) -> str:
    return f"{agent.get('firstname', '')} {agent.get('lastname', '')}".strip()


def _country_code(number: str) -> str:
    return "44" if number.startswith("+44") else "1" if number.startswith("+1") else ""


def _number_for(text: str) -> int:
    """Tags and notes have ids; the same text has the same one here."""
    return 100_000 + zlib.crc32(text.encode()) % 900_000
