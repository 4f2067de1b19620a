"""An agent as the sandbox keeps it, and as CloudTalk shows it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from bridge.sandbox.store import Document
from bridge.sandbox.world import World

FIRST_FREE_AGENT_ID = 400200


class AgentFields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: int | None = None
    firstname: str = "Bo"
    lastname: str = "Sample"
    email: str = "bo.sample@example.com"
    extension: str = "1001"
    availability_status: str = "online"
    default_number: str = "+15550100101"


def add_agent(world: World, fields: Document) -> Document:
    """Add an agent, or replace the one of the same id. Raises ValidationError."""
    agent = AgentFields.model_validate(fields)
    with world.lock:
        if agent.id is None:
            known = [int(one["id"]) for one in world.store.all("agent")]
            agent.id = max([FIRST_FREE_AGENT_ID - 1, *known]) + 1
        document = agent.model_dump()
        world.store.put("agent", str(agent.id), document)
    return document


def agent_item(agent: Document) -> Document:
    return {
        "Agent": {
            "id": str(agent["id"]),
            "name": f"{agent['firstname']} {agent['lastname']}".strip(),
            "firstname": agent["firstname"],
            "lastname": agent["lastname"],
            "email": agent["email"],
            "is_daily_limit_ok": True,
            "status_outbound": True,
            "availability_status": agent["availability_status"],
            "extension": agent["extension"],
            "call_number_id": 36,
            "default_number": agent["default_number"],
            "associated_numbers": [agent["default_number"]],
        }
    }
