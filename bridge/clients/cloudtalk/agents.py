"""CloudTalk's agents: `/agents/index.json` of the core host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.clients.cloudtalk.core import LARGEST_PAGE, Core
from bridge.clients.pages import Listing
from bridge.domain.webhook.values import read_call_id, read_email, read_person

_MOST_PAGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What the bridge needs of an agent."""

    agent_id: int
    name: str | None
    email: str | None


class Agents(Core):
    def page(self, query: Mapping[str, str]) -> Listing[Mapping[str, Any]]:
        """One page, as it came; its items may hold a password."""
        return self._page("agents", "/agents/index.json", query)

    def all(self) -> list[Agent]:
        """What else an item holds (it may hold a password) is left where it is."""
        found: list[Agent] = []
        page: int | None = 1
        while page is not None and page <= _MOST_PAGES:
            listing = self.page({"limit": str(LARGEST_PAGE), "page": str(page)})
            found += filter(None, map(_agent, listing.items))
            page = listing.next_page
        return found


def _agent(item: Mapping[str, Any]) -> Agent | None:
    agent = item.get("Agent")
    agent_id = read_call_id(agent.get("id")) if isinstance(agent, dict) else None
    if not isinstance(agent, dict) or agent_id is None:
        return None
    name = read_person(agent.get("firstname"), agent.get("lastname"))
    return Agent(agent_id=agent_id, name=name, email=read_email(agent.get("email")))
