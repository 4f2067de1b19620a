"""Membrane's actions: listed, found by what one wants, and run under the keys that its documents name.

Actions of the catalogue come with an empty `key`, so a key is resolved to an id once for each connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.clients.membrane.api import Api, Query
from bridge.clients.membrane.checking import check_input, nearest
from bridge.clients.membrane.errors import error_of, read_envelope
from bridge.clients.membrane.pins import Pin, Pins, digest
from bridge.clients.paths import segment
from bridge.errors import Permanent, Unavailable, WrongUse

# Of the intent, in characters.
_LONGEST_INTENT = 200
# As the SDK walks a list: a cursor from the start, so that a next one comes.
_WHOLE_LIST: Query = (("limit", "1000"), ("cursor", "0"))
# A run may take the 60 s that Membrane gives it.
_RUN_TIMEOUT_S = 75.0


class SchemaChanged(Permanent):
    """The action behind a key takes something else than when it was pinned; nothing was sent.

    Args:
        pin: as it would be now; `Pins.keep(pin)` accepts it.
    """

    def __init__(self, message: str, *, pin: Pin) -> None:
        super().__init__(message)
        self.pin = pin


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`key` is as the documents name it: theirs, or made from the name where theirs is empty."""

    id: str
    key: str
    name: str = ""
    description: str = ""
    state: str = ""
    input_schema: Mapping[str, Any] | None = None
    output_schema: Mapping[str, Any] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What an action gave. `run_id` names its log there."""

    output: Any
    run_id: str | None = None


class Actions:
    """
    Args:
        pins: which action each key stands for.
    """

    def __init__(self, api: Api, pins: Pins) -> None:
        self._api, self._pins = api, pins
        self._served: dict[str, dict[str, Action]] = {}

    def all(self, connection: str) -> Iterator[Action]:
        """All actions of a connection (its id)."""
        query: Query = [("connectionId", connection), *_WHOLE_LIST]
        for item in self._api.pages("list_actions", "/actions", query=query, connection=connection):
            if (action := _action(item)) is not None:
                yield action

    def search(self, connection: str, intent: str, *, limit: int = 10) -> list[Action]:
        """Those that fit best what one wants to do, best first. `intent` is cut at 200 characters."""
        query = [
            ("connectionId", connection),
            ("intent", intent[:_LONGEST_INTENT]),
            ("limit", str(limit)),
        ]
        body = self._api.ask("search_actions", "GET", "/actions", query=query, connection=connection)
        items = body.get("items") if isinstance(body, dict) else None
        if not isinstance(items, list):
            raise Unavailable("membrane answered search_actions without a list")
        return [action for item in items if (action := _action(item)) is not None][:limit]

    def get(self, action_id: str) -> Action:
        found = _action(self._api.ask("action", "GET", f"/actions/{segment(action_id)}"))
        if found is None:
            raise Unavailable("membrane answered action with something that is not an action")
        return found

    def create(self, connection: str, intent: str) -> Action:
        """Have one built; costs credits there, and starts in state BUILDING."""
        body = {"intent": intent, "connectionId": connection}
        found = _action(self._api.ask("create_action", "POST", "/actions", json=body, connection=connection))
        if found is None:
            raise Unavailable("membrane answered create_action with something that is not an action")
        return found

    def resolve(self, connection: str, key: str, *, anew: bool = False) -> Action:
        """The action of this connection that a key (or an id) stands for, pinned on first use.

        Args:
            anew: ask again, as the one that is known is gone.

        Raises:
            WrongUse: there is none; names the nearest.
            SchemaChanged: it takes something else than when it was pinned.
        """
        known = self._served.get(connection)
        if known is None or anew or key not in known:
            known = self._served[connection] = _by_key(self.all(connection))
        action = known.get(key) or next((one for one in known.values() if one.id == key), None)
        if action is None:
            raise WrongUse(f"The connection {connection} has no action {key}{nearest(key, known)}")
        now = Pin(connection=connection, key=action.key, id=action.id, schema=digest(action.input_schema))
        pinned = self._pins.find(connection, action.key)
        if pinned is not None and pinned.schema != now.schema:
            raise SchemaChanged(
                f"the action {key} of {connection} expects other input than when it was pinned; "
                "check its schema, then accept it by removing its entry from the lock file",
                pin=now,
            )
        if pinned != now:
            self._pins.keep(now)
        return action

    def run(self, connection: str, key: str, given: Any, *, meta: Mapping[str, Any] | None = None) -> Run:
        """Run an action, once: whether a run that gave no answer has happened is not known.

        Args:
            meta: kept on the run's log there, such as a correlation id.

        Raises:
            WrongUse: no such action, or the input does not fit; nothing was sent.
            SchemaChanged, Disconnected, RateLimited, Rejected, Unauthorized, Unavailable: the message
                names the run, where there was one. `Rejected.status` is the app's.
        """
        action = self.resolve(connection, key)
        check_input(action.key, given, action.input_schema)
        body = {"input": given, **({"meta": meta} if meta else {})}
        return self.run_raw(action.id, body, [("connectionId", connection)], again=(connection, key))

    def run_raw(
        self, action: str, body: Mapping[str, Any], query: Query, *, again: tuple[str, str] | None = None
    ) -> Run:
        """Run by id or key, unchecked.

        Args:
            again: (connection, key) to find the action by where its id is not known there any more.
                That answer means that nothing ran.
        """
        connection = next((value for name, value in query if name.startswith("connection")), "")
        response = self._api.send(
            "run_action",
            "POST",
            f"/actions/{segment(action)}/run",
            query=query,
            json=body,
            read_timeout_s=_RUN_TIMEOUT_S,
        )
        envelope = read_envelope(response)
        if envelope is not None and envelope.is_not_found and again is not None:
            found = self.resolve(*again, anew=True)
            if found.id != action:
                check_input(found.key, body["input"], found.input_schema)
                return self.run_raw(found.id, body, query)
        if envelope is not None:
            raise error_of(envelope, f"run_action {action}", response, connection=connection)
        return _run(self._api.read("run_action", response))


def slug(name: str) -> str:
    """`Get Customer by ID` -> `get-customer-by-id`."""
    return "-".join(re.findall(r"[a-z0-9]+", name.casefold()))


def _action(item: Any) -> Action | None:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return None
    texts = {
        name: item[name] if isinstance(item.get(name), str) else ""
        for name in ("key", "name", "description", "state")
    }
    schemas = {name: item.get(name) for name in ("inputSchema", "outputSchema")}
    return Action(
        id=item["id"],
        key=texts["key"] or slug(texts["name"]),
        name=texts["name"],
        description=texts["description"],
        state=texts["state"],
        input_schema=schemas["inputSchema"] if isinstance(schemas["inputSchema"], dict) else None,
        output_schema=schemas["outputSchema"] if isinstance(schemas["outputSchema"], dict) else None,
        raw=item,
    )


def _by_key(actions: Iterator[Action]) -> dict[str, Action]:
    """An action with a key of its own wins over one whose name only reads like it."""
    found: dict[str, Action] = {}
    for action in actions:
        if action.key not in found or (action.raw.get("key") and not found[action.key].raw.get("key")):
            found[action.key] = action
    return found


def _run(body: Any) -> Run:
    if not isinstance(body, dict) or "output" not in body:
        raise Unavailable("membrane answered a run without output; it may or may not have run")
    run_id = body.get("actionRunId")
    return Run(output=body["output"], run_id=run_id if isinstance(run_id, str) else None)
