"""CloudTalk's API, as far as the bridge needs it.

Source: CloudTalk's OpenAPI "1.7". Ids and seconds come as number or text, numbers with or without a plus.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2

from bridge.clients.http import Service
from bridge.domain.outcome import Direction
from bridge.domain.phone import Phone, read_phone
from bridge.domain.values import (
    read_call_id,
    read_direction,
    read_email,
    read_name,
    read_time,
    read_whole,
)
from bridge.errors import NotThereYet, Rejected, Unavailable
from bridge.ledger.budget import Budget

_LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCall:
    """One item of the call list: enough to tell whether it may be the call looked for. It has no uuid."""

    call_id: int
    started_at: datetime | None
    direction: Direction | None
    external: Phone | None
    internal: Phone | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    agent_id: int
    name: str | None
    email: str | None


class CloudTalk:
    """A client with keys of its own. `core` and `analytics` are addresses up to and with `/api`."""

    def __init__(
        self,
        *,
        client: httpx2.Client,
        core: str,
        analytics: str,
        key_id: str,
        key_secret: str,
        budget: Budget | None = None,
    ) -> None:
        login = base64.b64encode(f"{key_id}:{key_secret}".encode()).decode()
        self._core, self._analytics = core, analytics
        self._service = Service(
            "cloudtalk", client=client, headers={"authorization": f"Basic {login}"}, budget=budget
        )

    def call_detail(self, call_id: int) -> Mapping[str, Any]:
        """One call with its steps, as it came (`bridge.domain.detail.read_detail` reads it).

        Raises:
            NotThereYet: 404; it is not there, or not there yet, which cannot be told apart.
        """
        try:
            reply = self._service.request("call_detail", "GET", f"{self._analytics}/calls/{call_id}")
        except Rejected as error:
            if error.status != 404:
                raise
            raise NotThereYet(f"CloudTalk has no detail of call {call_id} (yet)") from error
        if not isinstance(reply.body, dict):
            raise Unavailable("cloudtalk answered call_detail with something that is not an object")
        return reply.body

    def list_calls(
        self,
        *,
        external: str | None,
        since: datetime,
        until: datetime,
        region: str | None = None,
        most: int = 3,
    ) -> Iterator[ListedCall]:
        """Calls between two times, by the customer's number where given; at most `most` pages of 1000.

        The zone of the filter is not documented: ask for a day more on both sides and look at
        `started_at`. Pages shift while calls arrive, so an item may come twice.
        """
        params = {
            "date_from": since.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "date_to": until.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "limit": str(_LARGEST_PAGE),
        }
        if external is not None:
            params["public_external"] = external
        for item in self._pages("list_calls", f"{self._core}/calls/index.json", params, most):
            cdr = item.get("Cdr")
            call_id = read_call_id(cdr.get("id")) if isinstance(cdr, dict) else None
            if cdr is None or call_id is None:
                continue
            direction = read_direction(cdr.get("type"))
            yield ListedCall(
                call_id=call_id,
                started_at=read_time(cdr.get("started_at")),
                direction=direction,
                external=read_phone(cdr.get("public_external"), region=region, direction=direction),
                internal=read_phone(cdr.get("public_internal"), region=region, direction=direction),
            )

    def agents(self) -> list[Agent]:
        """All agents. What else an item holds (it may hold a password) is left where it is."""
        found = []
        for item in self._pages(
            "agents", f"{self._core}/agents/index.json", {"limit": str(_LARGEST_PAGE)}, 5
        ):
            agent = item.get("Agent")
            agent_id = read_call_id(agent.get("id")) if isinstance(agent, dict) else None
            if agent is None or agent_id is None:
                continue
            names = [read_name(agent.get("firstname")), read_name(agent.get("lastname"))]
            name = " ".join(part for part in names if part) or None
            found.append(Agent(agent_id=agent_id, name=name, email=read_email(agent.get("email"))))
        return found

    def _pages(
        self, operation: str, url: str, params: Mapping[str, str], most: int
    ) -> Iterator[Mapping[str, Any]]:
        for page in range(1, most + 1):
            reply = self._service.request(operation, "GET", url, params={**params, "page": str(page)})
            data = reply.body.get("responseData") if isinstance(reply.body, dict) else None
            if not isinstance(data, dict) or not isinstance(data.get("data"), list):
                raise Unavailable(f"cloudtalk answered {operation} without a list")
            yield from (item for item in data["data"] if isinstance(item, dict))
            if page >= (read_whole(data.get("pageCount")) or 1):
                return
