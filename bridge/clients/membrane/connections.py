"""Membrane's connections: found or made, listed, read, waited for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from bridge.clients.membrane.api import Api, Query
from bridge.clients.membrane.states import Connection, ConnectionRequest, read_connection, read_request
from bridge.clients.paths import segment
from bridge.errors import RateLimited, Unavailable, WrongUse

# What one question may take there.
_LONGEST_POLL_S = 60
# Their answer at the end of a poll takes a while too.
_BEYOND_POLL_S = 15
# Whether a poll is held in every state is not documented; one that is answered at once must not spin.
_SHORTEST_PAUSE_S = 2.0
_LONGEST_URL = 2000
_PLAIN: Query = (("includeSecrets", "false"),)


class Connections:
    def __init__(self, api: Api) -> None:
        self._api = api

    def ensure(self, app_url: str, *, name: str | None = None) -> Connection:
        """The connection to the app at this address, made if there is none: asking twice makes one.

        Args:
            app_url: `https://www.kustomer.com/`, or a bare domain.
            name: only for a new one.

        Raises:
            WrongUse: no address of an app.
        """
        body = {"appUrl": checked_app_url(app_url), **({"name": name} if name else {})}
        return read_connection(self._api.ask("ensure_connection", "POST", "/connections/ensure", json=body))

    def all(self, **filters: str) -> Iterator[Connection]:
        """Args: filters: `search`, `integrationKey`, as the API names them."""
        query: Query = [(name, value) for name, value in filters.items() if value]
        for item in self._api.pages("list_connections", "/connections", query=query):
            yield read_connection(item)

    def page(self, *, limit: int, cursor: str = "", **filters: str) -> tuple[list[Connection], str]:
        """One page, and the cursor of the next; empty: this was the last."""
        query: Query = [(name, value) for name, value in filters.items() if value]
        query = [*query, ("limit", str(limit)), *([("cursor", cursor)] if cursor else [])]
        body = self._api.ask("list_connections", "GET", "/connections", query=query)
        items = body.get("items") if isinstance(body, dict) else None
        if not isinstance(items, list):
            raise Unavailable("membrane answered list_connections without a list")
        following = body.get("cursor")
        more = str(following) if items and isinstance(following, str | int) else ""
        return [read_connection(item) for item in items], more

    def get(self, connection: str) -> Connection:
        """Args: connection: an id or key."""
        return self._read(connection, _PLAIN)

    def create(self, **fields: Any) -> Connection:
        """By `intent`, `connectorKey`, `integrationKey` …, with `name`, `key`."""
        return read_connection(self._api.ask("create_connection", "POST", "/connections", json=fields))

    def change(self, connection: str, **fields: Any) -> Connection:
        """Set `name`, `key`, or what `provide-input` asks for (`input`, `connectorParameters`)."""
        path = f"/connections/{segment(connection)}"
        return read_connection(
            self._api.ask("change_connection", "PATCH", path, json=fields, connection=connection)
        )

    def archive(self, connection: str) -> None:
        """Take it out of use. Membrane keeps it, and can restore it."""
        path = f"/connections/{segment(connection)}"
        self._api.ask("archive_connection", "DELETE", path, connection=connection)

    def request_reconnect(self, connection: str) -> ConnectionRequest:
        """Ask a person to reconnect it. Always the same record: a new one would be an orphan."""
        body = {"connectionId": connection}
        return read_request(self._api.ask("request_reconnect", "POST", "/connection-requests", json=body))

    def request(self, request_id: str) -> ConnectionRequest:
        """How far the person has come who was asked to connect."""
        path = f"/connection-requests/{segment(request_id)}"
        return read_request(self._api.ask("connection_request", "GET", path))

    def wait_for_request(self, request_id: str, *, timeout_s: float) -> ConnectionRequest:
        """Ask again until it is no longer pending, or the time is over; the last that was seen."""
        ends_at = self._api.now() + timeout_s
        while True:
            found = self.request(request_id)
            left = ends_at - self._api.now()
            if not found.is_pending or left <= 0:
                return found
            self._api.pause(min(_SHORTEST_PAUSE_S, left))

    def wait(
        self,
        connection: str,
        *,
        timeout_s: float,
        progress: Callable[[Connection], object] = lambda connection: None,
    ) -> Connection:
        """Read it until its state has changed, or the time is over; the last that was seen.

        Membrane works by itself only in some states (BUILDING). In any other it waits for a person, so that
        waiting ends at once.

        A question that gets no answer is asked again, as people sign in meanwhile.

        Args:
            progress: called whenever its state or what it asks for has changed, to show that.

        Raises:
            as `get`; RateLimited and Unavailable only where none was answered in all that time.
        """
        ends_at = self._api.now() + timeout_s
        found: Connection | None = None
        first: str | None = None
        shown: tuple[str, str] | None = None
        while True:
            asked_at = self._api.now()
            left = ends_at - asked_at
            poll_s = min(_LONGEST_POLL_S, int(left))
            try:
                found = self._read(
                    connection,
                    # Below a second there is nothing to wait for there: a last look.
                    [("wait", "true"), ("timeout", str(poll_s))] if poll_s >= 1 else _PLAIN,
                    read_timeout_s=poll_s + _BEYOND_POLL_S,
                )
            except (Unavailable, RateLimited) as error:
                now = self._api.now()
                if now < ends_at:
                    wait_s = error.retry_after_s if isinstance(error, RateLimited) else _SHORTEST_PAUSE_S
                    self._api.pause(min(wait_s, ends_at - now))
                    continue
                if found is None:
                    raise
                return found
            if (found.state, found.says) != shown:
                shown = (found.state, found.says)
                progress(found)
            now = self._api.now()
            first = first or found.state
            if found.state != first or not found.is_moving or now >= ends_at:
                return found
            self._api.pause(min(max(0.0, _SHORTEST_PAUSE_S - (now - asked_at)), ends_at - now))

    def _read(self, connection: str, query: Query, *, read_timeout_s: float | None = None) -> Connection:
        return read_connection(
            self._api.ask(
                "connection",
                "GET",
                f"/connections/{segment(connection)}",
                query=query,
                connection=connection,
                read_timeout_s=read_timeout_s,
            )
        )


def checked_app_url(text: str) -> str:
    """What the SDK's schema takes: a host with a dot that is no IPv4 address; the scheme may be missing.

    Raises:
        WrongUse: says what is expected.
    """
    text = text.strip()
    match = re.fullmatch(r"(?:https?://)?([^/:?#@\s]+)(?::\d+)?(?:[/?#]\S*)?", text, re.IGNORECASE)
    host = match[1] if match else ""
    try:
        is_address = bool(ipaddress.ip_address(host))
    except ValueError:
        is_address = False
    if not 1 <= len(text) <= _LONGEST_URL or is_address or not re.fullmatch(r"[\w-]+(\.[\w-]+)+", host):
        raise WrongUse(f"{text[:80]!r} is not the URL of an app, such as https://www.kustomer.com/")
    return text
