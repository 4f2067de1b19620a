"""Loads a made-up company, so that the sandbox has somebody to talk about."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from bridge.domain.fields import definition
from bridge.sandbox.cloudtalk.agents import add_agent
from bridge.sandbox.cloudtalk.calls import add_call
from bridge.sandbox.cloudtalk.contacts import add_contact
from bridge.sandbox.kustomer.klasses import define
from bridge.sandbox.kustomer.shapes import MACHINE_USER_ID
from bridge.sandbox.store import Document
from bridge.sandbox.world import World

_FILE = Path(__file__).with_name("sample_company.json")


def load(world: World) -> None:
    load_cloudtalk(world)
    load_kustomer(world)
    define_call(world)


def load_cloudtalk(world: World) -> None:
    """Agents, lines, contacts and calls; what is there already under the same ids is replaced."""
    load_agents(world)
    company = _read()
    with world.lock:
        for contact in company["contacts"]:
            add_contact(world, contact)
        for call in company["calls"]:
            add_call(world, call)


def load_agents(world: World) -> None:
    """Who answers, and the lines they answer; no calls."""
    company = _read()
    with world.lock:
        for line in company["lines"]:
            world.store.put("line", line["number"], line)
        for agent in company["agents"]:
            add_agent(world, agent)


def load_kustomer(world: World) -> None:
    """The agents as users, a team, and the machine user. No customers: these come with the calls."""
    with world.lock:
        ensure_machine_user(world)
        for agent in _read()["agents"]:
            add_user(world, name=f"{agent['firstname']} {agent['lastname']}", email=agent["email"])
        add_team(world, name="Support")


def define_call(world: World) -> None:
    """The class of custom objects that the rules write by default, as if an admin had created it."""
    define(world, definition("call", {}))


# The ids of what `add_desk` adds, by kind.
DESK = {
    kind: hashlib.sha256(f"sample {kind}".encode()).hexdigest()[:24]
    for kind in ("company", "customer", "conversation", "message", "note")
}


def add_desk(world: World) -> dict[str, str]:
    """One of each in Kustomer, for trying actions out; on demand only, as customers come with the calls.

    Returns:
        Their ids (`DESK`), which are always the same; adding them again puts them back as they were.
    """
    given: dict[str, Document] = {
        "company": {
            "name": "Invented & Sons",
            "externalId": "sample:company",
            "domains": [{"domain": "invented.example"}],
        },
        "customer": {
            "name": "Gil Sample",
            "externalId": "sample:customer",
            "emails": [{"type": "work", "email": "gil.sample@example.com", "verified": False}],
            "phones": [{"type": "mobile", "phone": "+441632960309", "verified": False}],
        },
        "conversation": {
            "name": "A question",
            "externalId": "sample:conversation",
            "direction": "in",
            "status": "open",
        },
        "message": {
            "channel": "chat",
            "app": "sample",
            "direction": "in",
            "preview": "Where is my invoice?",
            "externalId": "sample:message",
        },
        "note": {"body": "Sent the invoice again.", "externalId": "sample:note"},
    }
    belongs: dict[str, Document] = {
        "customer": {"company": DESK["company"]},
        "conversation": {"customer": DESK["customer"]},
        "message": {"conversation": DESK["conversation"]},
        "note": {"conversation": DESK["conversation"]},
    }
    with world.lock:
        now = world.timestamp()
        for kind, fields in given.items():
            document = {"id": DESK[kind], "given": fields, "created_at": now, "updated_at": now, "rev": 1}
            world.store.put(kind, DESK[kind], document | belongs.get(kind, {}))
    return dict(DESK)


def ensure_machine_user(world: World) -> None:
    """The one behind the key: an org without it cannot be asked anything."""
    if world.store.get("user", MACHINE_USER_ID) is None:
        given = {"name": "callbridge", "email": None, "userType": "machine", "roles": ["org.permission"]}
        _put_user(world, MACHINE_USER_ID, given)


def add_user(world: World, *, name: str, email: str, **more: Any) -> str:
    """Returns the id, which is always the same for one e-mail address."""
    user_id = hashlib.sha256(email.lower().encode()).hexdigest()[:24]
    with world.lock:
        _put_user(world, user_id, {"name": name, "email": email, **more})
    return user_id


def add_team(world: World, *, name: str, **more: Any) -> str:
    """Returns the id, which is always the same for one name."""
    team_id = hashlib.sha256(f"team {name}".encode()).hexdigest()[:24]
    now = world.timestamp()
    with world.lock:
        given = {"name": name, **more}
        document = {"id": team_id, "given": given, "created_at": now, "updated_at": now}
        world.store.put("team", team_id, document)
    return team_id


def _put_user(world: World, user_id: str, given: Document) -> None:
    now = world.timestamp()
    document = {"id": user_id, "given": given, "created_at": now, "updated_at": now}
    world.store.put("user", user_id, document)


def _read() -> Any:
    return json.loads(_FILE.read_text("utf-8"))
