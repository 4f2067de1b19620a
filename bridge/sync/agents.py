"""Agents: their names and e-mails at CloudTalk, their ids at Kustomer; asked rarely and kept a while."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.domain.rules.model import Rules
from bridge.errors import Permanent, Transient

AGENTS_FOR_S = 600
USERS_FOR_S = 3600


def with_agent(call: Call, deps: Deps, rules: Rules) -> Call:
    """The call with its agent's name, where webhooks told only the id. A note does not wait for a name.

    Args:
        rules: the choices for this call.
    """
    wants_email = rules.assign != "none" and call.agent_email is None
    if call.agent_id is None or (call.agent_name is not None and not wants_email):
        return call
    try:
        agent = _agents(deps).get(str(call.agent_id), {})
    except (Transient, Permanent):
        return call
    return replace(
        call,
        agent_name=call.agent_name or agent.get("name"),
        agent_email=call.agent_email or agent.get("email"),
    )


def user_of(call: Call, deps: Deps, rules: Rules) -> list[str]:
    """Kustomer's user for the agent, found by e-mail; empty when there is none, or assigning is off."""
    if rules.assign == "none" or call.agent_email is None:
        return []
    name = f"user:{call.agent_email}"
    found: list[str] | None = deps.ledger.memory.cached(name)
    if found is None:
        users = deps.kustomer.users.by_email(call.agent_email)
        found = [user.id for user in users if user.can_own][:1]
        deps.ledger.memory.cache(name, found, for_s=USERS_FOR_S)
    return found


def _agents(deps: Deps) -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] | None = deps.ledger.memory.cached("agents")
    if kept is None:
        kept = {
            str(agent.agent_id): {"name": agent.name, "email": agent.email}
            for agent in deps.cloudtalk.agents.all()
        }
        deps.ledger.memory.cache("agents", kept, for_s=AGENTS_FOR_S)
    return kept
