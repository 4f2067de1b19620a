"""`callbridge health`: whether the process in this container is alive, for a health check without a shell."""

from __future__ import annotations

import http.client
from contextlib import closing

import click

from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.errors import Unavailable
from bridge.ledger.faults import RedisError, why
from bridge.ledger.processes import KINDS, Process, this_host
from bridge.settings import Settings
from bridge.wiring import open_ledger

_ALIVE, _NOT_ALIVE = 0, 1
_WITHIN_S = 3.0
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # asked, not listened on


@click.command()
@click.argument("kind", type=click.Choice(KINDS), required=False)
def health(*, kind: str | None) -> int:
    """Check that a process of this machine is alive: KIND, or any. Exits with 0 if so, otherwise with 1.

    Asks the web process over HTTP, and looks for the heartbeat of a worker or clock in Redis. Without Redis
    it cannot tell about these and exits with 0, because a restart would not help. `callbridge status` shows
    whether all is well.
    """
    settings = load_settings(says_notices=False, looks_on=True)
    if kind == "web":
        wrong = _web_fault(settings)
        say(wrong or "web is alive")
        return _NOT_ALIVE if wrong else _ALIVE
    what = kind or "process of the bridge"
    try:
        found = _here(settings, kind)
    except (RedisError, OSError, Unavailable) as error:
        reason = str(error) if isinstance(error, Unavailable) else why(error)
        say(f"cannot tell whether a {what} is alive here: {reason}")
        return _ALIVE
    if not found:
        say(f"no {what} on {this_host()} reported within the last seconds")
        return _NOT_ALIVE
    say(", ".join(f"{one.kind} {one.pid}" for one in found) + ": alive")
    return _ALIVE


def _here(settings: Settings, kind: str | None) -> list[Process]:
    """The living processes of this machine; a container has a host name of its own."""
    if settings.redis_url is None:
        raise Unavailable(f"REDIS_URL is not set, and no `callbridge up` is running on {settings.data_dir}")
    with closing(open_ledger(settings, timeout_s=_WITHIN_S, patience=0)) as ledger:
        return [one for one in ledger.processes() if one.host == this_host() and kind in (None, one.kind)]


def _web_fault(settings: Settings) -> str:
    """Why the web process is not alive; empty if it answers."""
    host = _ANY_ADDRESS.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=_WITHIN_S)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"web does not answer on {host}:{settings.port}: {error or type(error).__name__}"
    finally:
        connection.close()
    return "" if status == http.HTTPStatus.OK else f"web answers {status} on {host}:{settings.port}"
