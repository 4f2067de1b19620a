"""`callbridge connection`: what the services are reached by, whether that works, and what to do if not."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click

from bridge.clients.membrane.connections import checked_app_url
from bridge.clients.membrane.states import Connection, State
from bridge.commands import DONE, FAILED, NEEDS_A_PERSON
from bridge.commands.builtin import look_at, service_at
from bridge.commands.given import ONE_LINE
from bridge.commands.reach import SERVICES, Reach, as_service, is_service, open_reach
from bridge.commands.tables import show_table
from bridge.errors import WrongUse

_FAILED = frozenset({State.CONFIGURATION_ERROR, State.SETUP_FAILED, State.GONE, "UNREACHABLE"})
_JSON_HELP = "As Membrane's API shows it; the built-in ones in the same form."


@click.group()
def connection() -> None:
    """The connections that requests travel by: cloudtalk and kustomer are built in, others are Membrane's.

    Exit codes: 0 it is READY, 1 it has failed for good (CONFIGURATION_ERROR, SETUP_FAILED), 3 somebody has to
    act, or it is not ready yet.
    """


@connection.command()
@click.argument("url", type=ONE_LINE)
@click.option("--name", type=ONE_LINE, help="For a new one.")
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def ensure(*, url: str, name: str | None, as_json: bool) -> int:
    """Find the connection to the app at URL, or make one: asking twice makes one.

    With Membrane set up it is Membrane's; else CloudTalk and Kustomer have theirs built in. One that is being
    built has been made: that is exit code 0.
    """
    with open_reach() as reach:
        if reach.has_membrane:
            found = reach.roads.membrane.connections.ensure(url, name=name)
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
            click.echo(f"To wait for it: callbridge connection get {found.id} --wait", err=True)
            return DONE
        return exit_code(found)


@connection.command(name="list")
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def list_connections(*, as_json: bool) -> int:
    """Show all connections; asks each service one cheap question to see whether its key is taken."""
    with open_reach() as reach:
        # Once only: a service by Membrane is in Membrane's own list.
        found = [look_at(reach, service) for service in SERVICES if reach.is_direct(service)]
        if reach.has_membrane:
            found += reach.roads.membrane.connections.all()
    if as_json:
        click.echo(json.dumps([_as_data(one) for one in found], indent=2))
        return DONE
    rows = [(one.id, one.key or "", one.name, one.state, _first_line(one.says)) for one in found]
    show_table(("id", "key", "name", "state", "what to do"), rows)
    return DONE


@connection.command()
@click.argument("name", metavar="ID", type=ONE_LINE)
@click.option("--wait", is_flag=True, help="Until it is ready, or has failed for good.")
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait at most.",
)
@click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)
def get(*, name: str, wait: bool, timeout: float, as_json: bool) -> int:
    """Show one connection, by its id or key: its state, and what to do where it is not READY."""
    with open_reach() as reach:
        found, told = _found(reach, name, wait_s=timeout if wait else None, quiet=as_json)
        if as_json or not told:
            _tell(found, as_json=as_json)
    code = exit_code(found)
    if wait and code == NEEDS_A_PERSON and not is_service(found.id):
        click.echo(f"{found.state} still, after {timeout:g} s. To wait on, run this again.", err=True)
    return code


def exit_code(found: Connection) -> int:
    if found.is_ready:
        return DONE
    return FAILED if found.state in _FAILED else NEEDS_A_PERSON


def _found(reach: Reach, name: str, *, wait_s: float | None, quiet: bool) -> tuple[Connection, bool]:
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
            click.echo(as_text(one), err=quiet)

    # At once: the first long poll may be held for a minute.
    tell(found)
    if not (found.is_ready or found.is_terminal):
        found = connections.wait(selector, timeout_s=wait_s, told=tell)
    return found, True


def as_text(found: Connection) -> str:
    """For people: state, then what to do, then the link to open."""
    title = " · ".join(dict.fromkeys(part for part in (found.id, found.key, found.name) if part))
    lines = [f"{title}", f"  {found.state}{_MEANS.get(found.state, '')}"]
    lines += [f"  {line}" for line in found.says.splitlines()]
    if found.action is not None and found.action.link:
        lines.append(f"  Open: {found.action.link}")
    if found.fault and found.action is not None:
        lines.append(f"  Because: {found.fault}")
    return "\n".join(lines)


_MEANS: Mapping[str, str] = {
    State.READY: ": it can be used",
    State.BUILDING: ": being built, this may take minutes",
    State.CLIENT_ACTION_REQUIRED: ": somebody has to act",
    State.CONFIGURATION_ERROR: ": it does not work, and will not by waiting",
    State.SETUP_FAILED: ": it could not be made; `connection ensure` starts anew",
    State.DISCONNECTING: ": it is being taken down",
    State.GONE: ": it was archived",
}


def _tell(found: Connection, *, as_json: bool) -> None:
    click.echo(json.dumps(_as_data(found), indent=2) if as_json else as_text(found))


def _as_data(found: Connection) -> dict[str, object]:
    """As it came, and its state where an older form tells that in other words."""
    return {**found.raw, "state": str(found.state)}


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
