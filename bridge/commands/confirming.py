"""Before a command destroys or writes many things: asked once at a terminal; elsewhere it has to be said."""

from __future__ import annotations

import sys

import click

from bridge.errors import WrongUse


def is_at_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """
    Args:
        yes: `--yes` was given.
    Raises:
        WrongUse: there is nobody to ask, and `--yes` was not given.
        click.Abort: the answer was no.
    """
    if yes:
        return
    if not is_at_terminal():
        raise WrongUse(f"{question} There is no terminal to ask on; add --yes to confirm.")
    click.confirm(question, abort=True, err=True)
