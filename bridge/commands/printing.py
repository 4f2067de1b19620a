"""How commands print. All of them do it here, so that no text of others steers the terminal."""

from __future__ import annotations

import codecs
import io
import sys
from pathlib import Path
from typing import Any

import click

from bridge.plain import plain

# What a person types before a command: the script of a checkout, or the installed program.
PROGRAM = "deploy/run" if Path(__file__).parents[2].joinpath("deploy", "run").is_file() else "callbridge"


def say(text: object = "", *, err: bool = False) -> None:
    """Print lines; of our own, of a caller, a service, or JSON with any of them in it."""
    click.echo(plain(str(text)), err=err)  # noqa: TID251  # the one place


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
