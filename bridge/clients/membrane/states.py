"""A connection as Membrane shows it, and what its state asks for.

Source: docs.getmembrane.com, "Get connection by id". Its texts name states that its schema lacks, so any
state is taken, and one that is not known is not usable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bridge.errors import Disconnected, Unavailable


class State(StrEnum):
    READY = "READY"
    BUILDING = "BUILDING"
    CLIENT_ACTION_REQUIRED = "CLIENT_ACTION_REQUIRED"
    CONFIGURATION_ERROR = "CONFIGURATION_ERROR"
    SETUP_FAILED = "SETUP_FAILED"
    DISCONNECTING = "DISCONNECTING"
    # Ours, for an archived one.
    GONE = "GONE"


# Nothing changes by waiting.
TERMINAL = frozenset({State.CONFIGURATION_ERROR, State.SETUP_FAILED, State.GONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAction:
    """What somebody has to do: `connect` (open the link) or `provide-input`."""

    type: str
    description: str = ""
    link: str | None = None
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """`state` is one of `State`, or a word of theirs that is new to us."""

    id: str
    key: str | None = None
    name: str = ""
    state: str
    action: ClientAction | None = None
    fault: str = ""
    # As it came, for `--json`.
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_ready(self) -> bool:
        return self.state == State.READY

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def is_moving(self) -> bool:
        """Whether its state may change without a person."""
        return not (self.is_ready or self.is_terminal or self.state == State.CLIENT_ACTION_REQUIRED)

    @property
    def says(self) -> str:
        """What to tell a person: what they are asked to do, else what is wrong."""
        if self.action is not None:
            return self.action.description or self.action.instructions or self.action.type
        return self.fault

    def as_error(self, what: str) -> Disconnected:
        """Args: what: it was needed for."""
        link = self.action.link if self.action else None
        return Disconnected(
            f"the Membrane connection {self.key or self.id} is {self.state}, so {what} has to wait",
            connection=self.key or self.id,
            link=link,
            text=self.says,
            state=self.state,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRequest:
    """A person was asked to connect an app.

    Args:
        status: `pending`, `success`, `cancelled` or `error`.
        url: the page to open.
        connection: the id of the connection that came of it.
    """

    id: str
    status: str
    url: str = ""
    connection: str = ""
    fault: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_pending(self) -> bool:
        return self.status == "pending"


def read_request(body: Any) -> ConnectionRequest:
    """
    Raises:
        Unavailable: it is no connection request.
    """
    if not isinstance(body, dict) or not isinstance(body.get("requestId"), str):
        raise Unavailable("membrane answered with something that is not a connection request")

    def text(name: str) -> str:
        return body[name] if isinstance(body.get(name), str) else ""

    fault = body.get("resultError")
    said = fault.get("message") if isinstance(fault, dict) else fault
    return ConnectionRequest(
        id=body["requestId"],
        status=text("status") or "pending",
        url=text("url"),
        connection=text("resultConnectionId") or text("connectionId"),
        fault=said if isinstance(said, str) else "",
        raw=body,
    )


def gone(connection: str) -> Disconnected:
    """Membrane knows none of this id or key."""
    return Disconnected(
        f"membrane has no connection {connection} for this tenant",
        connection=connection,
        text="It was archived, or the settings name another one: see `callbridge connection list`.",
        state=State.GONE,
    )


def read_connection(body: Any) -> Connection:
    """
    Raises:
        Unavailable: it is no connection.
    """
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        raise Unavailable("membrane answered with something that is not a connection")
    return Connection(
        id=body["id"],
        key=body["key"] if isinstance(body.get("key"), str) and body["key"] else None,
        name=body["name"] if isinstance(body.get("name"), str) else "",
        state=_state(body),
        action=_action(body.get("clientAction")),
        fault=_fault(body),
        raw=body,
    )


def _state(body: Mapping[str, Any]) -> str:
    if body.get("archivedAt"):
        return State.GONE
    if isinstance(body.get("state"), str) and body["state"]:
        reported: str = body["state"]  # equals its State, or is a word new to us
        return reported
    connected = body.get("connected")
    if connected is None:
        # An older form has it the other way round.
        connected = body.get("disconnected") is False
    return State.READY if connected else State.CLIENT_ACTION_REQUIRED


def _action(value: Any) -> ClientAction | None:
    if not isinstance(value, dict):
        return None

    def text(name: str) -> str:
        return value[name] if isinstance(value.get(name), str) else ""

    return ClientAction(
        type=text("type"),
        description=text("description"),
        link=text("uiUrl") or None,
        instructions=text("agentInstructions"),
    )


def _fault(body: Mapping[str, Any]) -> str:
    """From `errors`, then `requestError`, then `error` (deprecated): the first that says anything."""
    errors = body.get("errors")
    reported = [*(errors if isinstance(errors, list) else []), body.get("requestError"), body.get("error")]
    for value in reported:
        found = value if isinstance(value, str) else value.get("message") if isinstance(value, dict) else None
        if isinstance(found, str) and found:
            return found
    return ""
