"""CloudTalk's calls: the core host's list and the analytics host's detail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.clients.cloudtalk.core import LARGEST_PAGE, Core
from bridge.clients.http import Service
from bridge.clients.pages import Listing
from bridge.domain.call_list_item import ListedCall, read_listed
from bridge.errors import NotThereYet, Rejected, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """One page of the call list. `pages` and `total`: as CloudTalk counted them when it gave this one."""

    calls: list[ListedCall]
    pages: int
    total: int


class Calls(Core):
    def __init__(self, service: Service, core: str, analytics: str) -> None:
        super().__init__(service, core)
        self._analytics = analytics

    def detail(self, call_id: int) -> Mapping[str, Any]:
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

    def page(self, query: Mapping[str, str]) -> Listing[Mapping[str, Any]]:
        """One page, newest first, as it came. Pages shift while calls arrive, so an item may come twice."""
        return self._page("list_calls", "/calls/index.json", query)

    def between(
        self,
        number: int,
        *,
        since: datetime,
        until: datetime,
        external: str | None = None,
        region: str | None = None,
        limit: int = LARGEST_PAGE,
    ) -> CallPage:
        """One page of the calls between two times; pages count from 1.

        The zone of the filter is not documented: ask for a day more on both sides and look at
        `started_at`.
        """
        query = {
            "date_from": since.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "date_to": until.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "limit": str(limit),
            "page": str(number),
        }
        if external is not None:
            query["public_external"] = external
        found = self.page(query)
        cdrs = (item.get("Cdr") for item in found.items)
        listed = (read_listed(cdr, region=region) for cdr in cdrs if isinstance(cdr, dict))
        return CallPage(
            calls=[call for call in listed if call is not None],
            pages=found.pages or 1,
            total=found.total or 0,
        )

    def all_between(
        self,
        *,
        external: str | None,
        since: datetime,
        until: datetime,
        region: str | None = None,
        most: int = 3,
    ) -> Iterator[ListedCall]:
        """Calls between two times, by the customer's number where given; at most `most` pages of 1000."""
        for number in range(1, most + 1):
            page = self.between(number, external=external, since=since, until=until, region=region)
            yield from page.calls
            if number >= page.pages:
                return
