"""How commands print. All of them do it here, so that no text of others steers the terminal."""

from __future__ import annotations

import codecs
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.plain import plain

if TYPE_CHECKING:
    from bridge.checks.check import Check

# What a person types before a command: the script of a checkout, or the installed program.
PROGRAM = "deploy/run" if Path(__file__).parents[2].joinpath("deploy", "run").is_file() else "callbridge"


def say(text: object = "", *, err: bool = False) -> None:
    """Print lines; of our own, of a caller, a service, or JSON with any of them in it."""
    click.echo(plain(str(text)), err=err)  # noqa: TID251  # the one place


def say_checks(checks: Sequence[Check], *, as_json: bool, width: int) -> None:
    """What checks found, a line each, and below it what to do.

    Args:
        width: of the longest name.
    """
    if as_json:
        return say(json.dumps([asdict(check) for check in checks], indent=2))
    for check in checks:
        say(f"{check.state:<4}  {check.name:<{width}} {check.says}")
        if check.do:
            say(f"      {'':<{width}} -> {check.do}")
    return None


class PlainTerminal(io.RawIOBase):
    """Takes the bytes of a text as they come, for standard output at a terminal."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def writable(self) -> bool:
        return True

    def write(self, chunk: Any) -> int:
        sys.stdout.write(plain(self._decoder.decode(bytes(chunk))))
        return len(chunk)

    def flush(self) -> None:
        sys.stdout.flush()
