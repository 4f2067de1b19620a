"""The envelope of CloudTalk's core host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.clients.http import Reply, Service
from bridge.clients.pages import Listing
from bridge.domain.webhook.values import read_whole
from bridge.errors import Unavailable

LARGEST_PAGE = 1000


class Core:
    """One topic of the core host."""

    def __init__(self, service: Service, url: str) -> None:
        self._service, self._url = service, url

    def _send(self, operation: str, method: str, path: str, json: Any = None) -> Reply:
        return self._service.request(operation, method, self._url + path, json=json)

    def _page(self, operation: str, path: str, query: Mapping[str, str]) -> Listing[Mapping[str, Any]]:
        """One page, its items as they came."""
        reply = self._service.request(operation, "GET", self._url + path, params=query)
        data = response_data(operation, reply)
        items = data.get("data")
        if not isinstance(items, list):
            raise Unavailable(f"cloudtalk answered {operation} without a list")
        page = int(query.get("page", "1"))
        pages = read_whole(data.get("pageCount")) or 1
        return Listing(
            items=[item for item in items if isinstance(item, dict)],
            page=page,
            next_page=page + 1 if page < pages else None,
            total=read_whole(data.get("itemsCount")),
            pages=pages,
        )


def response_data(operation: str, reply: Reply) -> Mapping[str, Any]:
    """Raises Unavailable where the envelope is missing."""
    data = reply.body.get("responseData") if isinstance(reply.body, dict) else None
    if not isinstance(data, dict):
        raise Unavailable(f"cloudtalk answered {operation} without responseData")
    return data
