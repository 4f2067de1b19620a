"""Membrane: the other road to CloudTalk and Kustomer.

Only a blocking client: workers and commands run in threads, and a second, asynchronous one would be the
same code twice. From a coroutine: `asyncio.to_thread`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from bridge.clients.http import make_client
from bridge.clients.membrane.actions import Actions
from bridge.clients.membrane.api import Api, Query
from bridge.clients.membrane.connections import Connections
from bridge.clients.membrane.pins import Pins
from bridge.clients.membrane.proxy import LARGEST_REQUEST, LARGEST_RESPONSE, Proxy
from bridge.clients.membrane.tokens import Tokens

__all__ = ["Membrane"]


class Membrane:
    """A client of one workspace's tenant.

    Args:
        client: must not follow redirects.
        url: of the API, without a slash at its end.
        lock_file: keeps which action each key stands for; None: only as long as this client lives.
        largest_request, largest_response: bytes that its proxy carries; a self-hosted one may have others.
        pause: seconds to wait; for tests, as `now`.
    """

    def __init__(
        self,
        *,
        client: httpx2.Client,
        url: str,
        tokens: Tokens,
        lock_file: Path | None = None,
        largest_request: int = LARGEST_REQUEST,
        largest_response: int = LARGEST_RESPONSE,
        pause: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self.api = Api(client=client, url=url.rstrip("/"), tokens=tokens, pause=pause, now=now)
        self.connections = Connections(self.api)
        self.actions = Actions(self.api, Pins(lock_file))
        self._largest_request, self._largest_response = largest_request, largest_response

    def token(self) -> str:
        """The bearer token that requests carry now. Raises Unauthorized: there is none to carry."""
        return self._tokens.bearer()

    def use(self, tokens: Tokens) -> None:
        """Take tokens from there from the next request on."""
        self._tokens = self.api.tokens = tokens

    def whoami(self) -> Any:
        """`{user, workspace}`: the cheapest way to learn whether the token is taken."""
        return self.api.ask("self", "GET", "/self")

    def search(self, words: str, *, element_type: str, limit: int) -> list[Any]:
        """The catalogue, by words. `element_type`: `connector`, `integration`, `action` …"""
        query: Query = [("q", words), ("elementType", element_type), ("limit", str(limit))]
        body = self.api.ask("search", "GET", "/search", query=query)
        items = body.get("items") if isinstance(body, dict) else None
        return items if isinstance(items, list) else []

    def road(self, connection: str) -> httpx2.Client:
        """A client whose requests travel through this connection (id or key), for a vendor's client."""
        return make_client(
            Proxy(
                self.api,
                connection,
                largest_request=self._largest_request,
                largest_response=self._largest_response,
            )
        )
