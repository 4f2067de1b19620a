"""Verbs of Membrane's own command: `token` does the same here, settings take the place of `login`."""

from __future__ import annotations

import json

import click

from bridge.commands.printing import say
from bridge.commands.service_access import open_service_access
from bridge.errors import WrongUse

_SETTINGS = (
    "callbridge needs no sign-in: it reads MEMBRANE_WORKSPACE_KEY, MEMBRANE_WORKSPACE_SECRET and "
    "MEMBRANE_TENANT_KEY, or MEMBRANE_TOKEN, from .env or the environment. `callbridge connection list` "
    "shows whether they are accepted."
)


@click.group(invoke_without_command=True)
@click.pass_context
def login(ctx: click.Context) -> None:
    """Not needed: settings replace it."""
    if ctx.invoked_subcommand is None:
        raise WrongUse(_SETTINGS)


@login.command()
@click.argument("code", required=False)
def complete(*, code: str | None) -> None:
    """Not needed here, as `login` is not."""
    raise WrongUse(_SETTINGS)


@login.command()
def start() -> None:
    """Not needed here, as `login` is not."""
    raise WrongUse(_SETTINGS)


@click.command()
def logout() -> None:
    """Not needed: remove the settings instead."""
    raise WrongUse(_SETTINGS)


@click.command()
@click.option("--json", "as_json", is_flag=True)
def token(*, as_json: bool) -> int:
    """Print a token for Membrane's API, made from the settings. Its holder can act for the tenant."""
    with open_service_access() as reach:
        bearer = reach.clients.membrane.token()
    say(json.dumps({"token": bearer}) if as_json else bearer)
    return 0
