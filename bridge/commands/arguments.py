"""What people give on the command line: JSON and bytes, in place, from a file or from standard input."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from bridge.errors import WrongUse

_SHOWN = 20
# Line ends and other control characters, and what other programs take for a line end.
_CONTROL = ("Cc", "Zl", "Zp")


class OneLine(click.ParamType):  # type: ignore[type-arg]  # not generic in older ones
    """A text that becomes part of an address, a header or a command line somebody reads."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        for at, letter in enumerate(text, 1):
            if unicodedata.category(letter) in _CONTROL:
                self.fail(f"character {at} is a line end or another control character", param, ctx)
        return text


ONE_LINE = OneLine()


def spelt(*names: str) -> tuple[str, ...]:
    """An option in camelCase, as Membrane's own command has it, and in kebab-case: `--pathParam` and
    `--path-param`."""
    kebab = ["".join(f"-{c.lower()}" if c.isupper() else c for c in name) for name in names]
    return tuple(dict.fromkeys([*names, *kebab]))


def connection_option(help_text: str) -> Callable[[Any], Any]:
    return click.option(*spelt("--connectionId"), "connection", metavar="ID", type=ONE_LINE, help=help_text)


def read_bytes(option: str, text: str) -> bytes:
    """The bytes that an argument stands for: `@file`, `-` (standard input), or itself.

    Raises:
        WrongUse: the file cannot be read.
    """
    if text in ("-", "@-"):
        return sys.stdin.buffer.read()
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise WrongUse(f"{option}: cannot read {text[1:]}: {error.strerror}") from error


def read_json(option: str, content: bytes) -> Any:
    """
    Raises:
        WrongUse: it is not JSON; says where it breaks.
    """
    try:
        text = content.decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise WrongUse(f"{option} is not JSON: byte {error.start + 1} is not UTF-8") from error
    except json.JSONDecodeError as error:
        here = text[error.pos : error.pos + _SHOWN]
        where = f"line {error.lineno}, column {error.colno}"
        at = f", at {here!r}" if here else ", where it ends"
        raise WrongUse(f"{option} is not JSON: {error.msg} ({where}{at})") from error
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"{option} is not JSON: {error}") from error


def read_object(option: str, text: str) -> dict[str, Any]:
    """Raises WrongUse: it is no JSON object."""
    found = read_json(option, read_bytes(option, text))
    if not isinstance(found, dict):
        raise WrongUse(f"{option} must be a JSON object, such as '{{\"limit\": 5}}'")
    return found


def read_pairs(option: str, texts: tuple[str, ...], *, between: str = "=") -> list[tuple[str, str]]:
    """`name=value`, as often as it is given.

    Raises:
        WrongUse: one has no name or no sign between.
    """
    pairs = [text.partition(between) for text in texts]
    for text, (name, sign, _) in zip(texts, pairs, strict=True):
        if not sign or not name.strip():
            raise WrongUse(f"{option} {text!r}: give a name, {between!r} and a value")
    return [(name.strip(), value) for name, _, value in pairs]


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number there")
