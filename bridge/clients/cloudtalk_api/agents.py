"""CloudTalk's agents: `/agents/index.json` of the core host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from bridge.clients.careful import every
from bridge.clients.cloudtalk_api.core import LARGEST_PAGE, Core
from bridge.clients.shapes import (
    PAGE,
    Decimal,
    Escaped,
    Flag,
    NumberId,
    Page,
    PhoneText,
    Shown,
    SureWhole,
    Text,
    Wanted,
    Whole,
    page_field,
)
from bridge.errors import Rejected

AgentId = Annotated[NumberId, Field(description="CloudTalk's number of the agent")]


class ListAgents(Wanted):
    agent_id: AgentId | None = Field(default=None, alias="id")
    associated_number: str | None = Field(
        default=None, pattern=r"^\+?[0-9]{3,15}$", description="agents who have this number, E.164"
    )
    page: int = PAGE
    limit: int = page_field(LARGEST_PAGE, 100)


class OneAgent(Wanted):
    agent_id: AgentId


class Agent(Shown):
    id: SureWhole = Field(description="CloudTalk's number of the agent")
    name: Escaped = None
    firstname: Escaped = None
    lastname: Escaped = None
    email: Text = None
    availability: Text = Field(
        default=None, alias="availability_status", description="online, offline, paused or calling"
    )
    extension: Text = Field(default=None, description="four digits")
    default_number: PhoneText = Field(default=None, description="calls go out under this number, E.164")
    default_number_id: Whole = Field(default=None, alias="call_number_id")
    associated_numbers: list[PhoneText] = Field(default_factory=list)
    may_call_out: Flag = Field(default=None, alias="status_outbound")
    is_daily_limit_ok: Flag = Field(default=None, description="false: cannot make calls until tomorrow")
    daily_price_limit_eur: Decimal = Field(default=None, alias="daily_price_limit")


class Agents(Core):
    def list(self, wanted: ListAgents) -> Page[Agent]:
        return self._page("list_agents", "/agents/index.json", wanted.query(), _agent)

    def every(self, wanted: ListAgents, *, most_pages: int = 100) -> Iterator[Agent]:
        return every(lambda page: self.list(wanted.model_copy(update={"page": page})), most_pages)

    def get(self, wanted: OneAgent) -> Agent:
        """One agent, from the list: there is no endpoint for one, and "none" is a 200 with an empty list.

        Raises:
            Rejected: status 404, as for everything else that is not there.
        """
        for agent in self.list(ListAgents(agent_id=wanted.agent_id)).items:
            if agent.id == wanted.agent_id:
                return agent
        raise Rejected(f"cloudtalk has no agent {wanted.agent_id}", status=404)


def _agent(told: Mapping[str, Any]) -> Agent:
    about = told.get("Agent")
    # The schema has a password, which nobody here needs to see.
    return Agent.read(
        {name: value for name, value in about.items() if name != "pass"} if isinstance(about, dict) else {}
    )
