"""`callbridge connection`: what the services are reached by, whether that works, and what to do if not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from bridge.clients.membrane.connections import Connections, checked_app_url
from bridge.clients.membrane.states import Connection, ConnectionRequest, State
from bridge.commands import DONE, FAILED, NEEDS_A_PERSON
from bridge.commands.arguments import ONE_LINE, read_object, spelt
from bridge.commands.builtin import look_at, service_at
from bridge.commands.confirming import confirm
from bridge.commands.printing import say
from bridge.commands.service_access import (
    SERVICES,
    TITLES,
    ServiceAccess,
    as_service,
    is_service,
    open_service_access,
)
from bridge.commands.tables import show_table
from bridge.errors import WrongUse

_FAILED = frozenset({State.CONFIGURATION_ERROR, State.SETUP_FAILED, State.GONE, "UNREACHABLE"})
F = TypeVar("F", bound=Callable[..., Any])
_PAGE = 100
_JSON_HELP = "Print JSON, as Membrane's API returns it; built-in connections look the same."


def _waiting(command: F) -> F:
    for option in (
        click.option(
            "--timeout", type=click.FloatRange(0), default=300.0, show_default=True, metavar="SECONDS"
        ),
        click.option("--wait", is_flag=True, help="Wait until the person is done."),
    ):
        command = option(command)
    return command


@click.group()
def connection() -> None:
    """Connections to services: cloudtalk and kustomer are built in, others are Membrane's.

    Exit codes: 0 READY; 1 failed for good (CONFIGURATION_ERROR, SETUP_FAILED); 3 a person has to act, or it
    is not ready yet.
    """


@connection.command()
@click.argument("url", type=ONE_LINE)
@click.option("--name", type=ONE_LINE, help="Name of a new connection.")
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def ensure(*, url: str, name: str | None, as_json: bool) -> int:
    """Find the connection to the app at URL, or create one; repeating this creates no second one.

    With Membrane set up, this is a Membrane connection; otherwise CloudTalk and Kustomer are built in. A
    connection still being set up counts as created (exit code 0).
    """
    with open_service_access() as reach:
        if reach.has_membrane:
            found = reach.clients.membrane.connections.ensure(url, name=name)
        else:
            service = service_at(checked_app_url(url))
            if service is None:
                raise WrongUse(
                    f"{url} is neither CloudTalk's nor Kustomer's address, and any other app needs Membrane: "
                    "set MEMBRANE_WORKSPACE_KEY, MEMBRANE_WORKSPACE_SECRET and MEMBRANE_TENANT_KEY"
                )
            found = look_at(reach, service)
        _tell(found, as_json=as_json)
        if found.state == State.BUILDING:
            say(f"To wait for it: callbridge connection get {found.id} --wait", err=True)
            return DONE
        return exit_code(found)


@connection.command(name="list")
@click.option("--search", type=ONE_LINE, default="", help="Only connections with this in their name.")
@click.option(
    *spelt("--integrationKey"), type=ONE_LINE, default="", help="Only connections of this integration."
)
@click.option("--limit", type=click.IntRange(1, 1000), help="At most this many Membrane connections.")
@click.option("--cursor", type=ONE_LINE, default="", help="Next page: the cursor of the previous answer.")
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def list_connections(
    *, search: str, integrationkey: str, limit: int | None, cursor: str, as_json: bool
) -> int:
    """List all connections, with one cheap request to each service to check its key."""
    more = ""
    with open_service_access() as reach:
        # Once only: a service by Membrane is in Membrane's own list. A further page is Membrane's only.
        own = [one for one in SERVICES if reach.is_direct(one) and not cursor]
        own = [one for one in own if search.casefold() in TITLES[one].casefold()]
        found = [look_at(reach, one) for one in own if integrationkey in ("", one)]
        if reach.has_membrane:
            connections = reach.clients.membrane.connections
            if limit is None and not cursor:
                found += connections.all(search=search, integrationKey=integrationkey)
            else:
                page, more = connections.page(
                    limit=limit or _PAGE, cursor=cursor, search=search, integrationKey=integrationkey
                )
                found += page
    if as_json:
        say(json.dumps([_as_data(one) for one in found], indent=2))
    else:
        rows = [(one.id, one.key or "", one.name, one.state, _first_line(one.says)) for one in found]
        show_table(("id", "key", "name", "state", "what to do"), rows, below="what to do")
    if more:
        say(f"There are more: --cursor {more}", err=True)
    return DONE


@connection.command()
@click.argument("name", metavar="ID", type=ONE_LINE)
@click.option(
    "--wait", is_flag=True, help="Wait until its state changes; returns at once if a person has to act."
)
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest time to wait.",
)
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def get(*, name: str, wait: bool, timeout: float, as_json: bool) -> int:
    """Show one connection by its id or key: its state, and what to do if it is not READY."""
    with open_service_access() as reach:
        found, progress = _found(reach, name, wait_s=timeout if wait else None, quiet=as_json)
        if as_json or not progress:
            _tell(found, as_json=as_json)
    code = exit_code(found)
    if wait and code == NEEDS_A_PERSON and not is_service(found.id):
        say(f"Still {found.state} after {timeout:g} s. To keep waiting, run this again.", err=True)
    return code


@connection.command()
@click.argument("name", metavar="ID", type=ONE_LINE)
@click.option(
    "--data",
    required=True,
    metavar="JSON|@FILE|-",
    help="Fields to set: input, connectorParameters, name, key.",
)
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def patch(*, name: str, data: str, as_json: bool) -> int:
    """Change a Membrane connection, for example to supply what `provide-input` asks for."""
    fields = read_object("--data", data)
    if not fields:
        raise WrongUse('--data has nothing to change; give a field such as {"input": {…}}')
    with open_service_access() as reach:
        found = _membranes(reach, name).change(name, **fields)
        _tell(found, as_json=as_json)
    return exit_code(found)


@connection.command()
@click.argument("name", metavar="ID", type=ONE_LINE)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--json", "as_json", is_flag=True)
def archive(*, name: str, yes: bool, as_json: bool) -> int:
    """Archive a Membrane connection. Membrane keeps it and can restore it."""
    with open_service_access() as reach:
        connections = _membranes(reach, name)
        found = connections.get(name)
        confirm(f"Archive the connection {found.name or found.id}? Everything that uses it stops.", yes=yes)
        connections.archive(found.id)
    say(json.dumps({"archived": found.id}) if as_json else f"{found.id} archived.")
    return DONE


@connection.command()
@click.argument("name", metavar="ID", type=ONE_LINE)
@_waiting
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, as Membrane's API returns a connection request."
)
def reconnect(*, name: str, wait: bool, timeout: float, as_json: bool) -> int:
    """Ask a person to reconnect a Membrane connection, and show the page to open."""
    with open_service_access() as reach:
        connections = _membranes(reach, name)
        pending = connections.request_reconnect(connections.get(name).id)
        return _tell_request(connections, pending, wait_s=timeout if wait else None, as_json=as_json)


@connection.command(name="request")
@click.argument("request_id", metavar="REQUEST", type=ONE_LINE)
@_waiting
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, as Membrane's API returns a connection request."
)
def show_request(*, request_id: str, wait: bool, timeout: float, as_json: bool) -> int:
    """Show the progress of a connection request (`connection reconnect` prints the REQUEST)."""
    with open_service_access() as reach:
        connections = reach.membrane(request_id).connections
        pending = connections.request(request_id)
        return _tell_request(connections, pending, wait_s=timeout if wait else None, as_json=as_json)


def _tell_request(
    connections: Connections, pending: ConnectionRequest, *, wait_s: float | None, as_json: bool
) -> int:
    if wait_s is not None and pending.is_pending:
        say(f"Open: {pending.url}", err=True)
        pending = connections.wait_for_request(pending.id, timeout_s=wait_s)
    lines = [f"{pending.id}: {pending.status}"]
    lines += [f"  Open: {pending.url}"] if pending.is_pending and pending.url else []
    lines += [f"  Connection: {pending.connection}"] if pending.connection else []
    lines += [f"  Reason: {pending.fault}"] if pending.fault else []
    say(json.dumps(pending.raw, indent=2) if as_json else "\n".join(lines))
    return {"success": DONE, "pending": NEEDS_A_PERSON}.get(pending.status, FAILED)


def _membranes(reach: ServiceAccess, name: str) -> Connections:
    """Raises WrongUse for a built-in connection, which the settings change."""
    if is_service(name) and reach.is_direct(as_service(name)):
        raise WrongUse(
            f"{name} is built in and uses your own keys; change them in .env or the environment "
            f"(callbridge connection get {name} lists them)"
        )
    return reach.membrane(name).connections


def exit_code(found: Connection) -> int:
    if found.is_ready:
        return DONE
    return FAILED if found.state in _FAILED else NEEDS_A_PERSON


def _found(reach: ServiceAccess, name: str, *, wait_s: float | None, quiet: bool) -> tuple[Connection, bool]:
    """It, and whether it was shown already, as each change is while waiting."""
    if is_service(name) and reach.is_direct(as_service(name)):
        # Keys of our own do not change by themselves: there is nothing to wait for.
        return look_at(reach, as_service(name)), False
    selector = name
    if is_service(name):
        reach.services(as_service(name))  # says what is missing in the settings
        selector = str(getattr(reach.settings, f"membrane_{name}_connection"))
    connections = reach.membrane(name).connections
    found = connections.get(selector)
    if wait_s is None:
        return found, False
    shown: list[tuple[str, str]] = []

    def tell(one: Connection) -> None:
        if shown[-1:] != [(one.state, one.says)]:
            shown.append((one.state, one.says))
            # While JSON is wanted, the changes are for whoever watches, and the last one is the answer.
            say(as_text(one), err=quiet)

    # At once: the first long poll may be held for a minute.
    tell(found)
    if found.is_moving:
        found = connections.wait(selector, timeout_s=wait_s, progress=tell)
    return found, True


def as_text(found: Connection) -> str:
    """For people: state, then what to do, then the link to open."""
    title = " · ".join(dict.fromkeys(part for part in (found.id, found.key, found.name) if part))
    lines = [f"{title}", f"  {found.state}{_MEANS.get(found.state, '')}"]
    lines += [f"  {line}" for line in found.says.splitlines()]
    if found.action is not None and found.action.link:
        lines.append(f"  Open: {found.action.link}")
    if found.action is not None and found.action.instructions not in ("", found.says):
        lines += [f"  For an agent: {line}" for line in found.action.instructions.splitlines()]
    if found.fault and found.action is not None:
        lines.append(f"  Reason: {found.fault}")
    return "\n".join(lines)


_MEANS: Mapping[str, str] = {
    State.READY: ": ready to use",
    State.BUILDING: ": being set up; this may take minutes",
    State.CLIENT_ACTION_REQUIRED: ": a person has to act",
    State.CONFIGURATION_ERROR: ": broken; waiting will not help",
    State.SETUP_FAILED: ": setup failed; `connection ensure` starts over",
    State.DISCONNECTING: ": being removed",
    State.GONE: ": archived",
}


def _tell(found: Connection, *, as_json: bool) -> None:
    say(json.dumps(_as_data(found), indent=2) if as_json else as_text(found))


def _as_data(found: Connection) -> dict[str, object]:
    """As it came, and its state where an older form tells that in other words."""
    return {**found.raw, "state": str(found.state)}


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
