"""What the Markdown files say that the code can be asked about: commands, metrics, headings, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from bridge.commands import cli
from bridge.metrics.families import ALL

ROOT = Path(__file__).parents[1]
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# Typed in a guide: after a prompt, in code, or as an indented line.
_COMMAND = re.compile(r"(?:^(?:\$|#) (?:.*? )?|^ {4}|`)(?:callbridge|deploy/run) ([^`\n]*)", re.MULTILINE)
# Of deploy/run itself, and what stands for any command.
_NOT_OURS = {"test", "check", "site", "COMMAND", "--help", "--version", "…"}
_METRIC = re.compile(r"`(callbridge_[a-z_]+[a-z])(?:\{([^}]*)\})?`")


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def headings(text: str) -> list[tuple[int, str]]:
    """Level and text of each heading; what looks like one in code is none."""
    found = re.findall(r"(?m)^(#+) (.+)$", _CODE.sub("", text))
    return [(len(marks), heading) for marks, heading in found]


def sections(text: str, level: int = 2) -> dict[str, str]:
    """Heading -> what stands below it, up to the next of its level."""
    parts = re.split(rf"(?m)^{'#' * level} (.+)\n", text)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def commands(text: str) -> Iterator[list[str]]:
    """The words after `callbridge` or `deploy/run` of each command that a page shows."""
    for line in _COMMAND.findall(text.replace("\\\n", " ")):
        try:
            words = shlex.split(re.split(r"\s+(?:>|\||&&|2>)", line)[0], comments=True)
        except ValueError:  # A quotation goes on in the next line.
            words = line.split()
        if words and words[0][:1].isalnum():
            yield words


def unknown_in(words: list[str]) -> str | None:
    """What of a command does not exist; None if all does. Values and arguments are not looked at."""
    if words[0] in _NOT_OURS:
        return None
    command: click.Command = cli
    for word in words:
        if word.startswith("-") and command is cli:  # --account NAME, and the like, before the command
            continue
        if not isinstance(command, click.Group) or word.isupper():
            break
        found = command.get_command(click.Context(command), word)
        if found is None:
            return word
        command = found
    return _unknown_option(command, words)


def _unknown_option(command: click.Command, words: list[str]) -> str | None:
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
    for word in words:
        name = word.partition("=")[0]
        if re.fullmatch(r"--[a-zA-Z-]+", name) and name not in known:
            return name
    return None


def metrics(text: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric that a page names, with the labels that it names of it."""
    for name, labels in _METRIC.findall(text):
        yield name, set(re.findall(r"(\w+)=", labels))


def is_metric(name: str, labels: set[str]) -> bool:
    return any(
        name in {family.name, *family.names} and labels <= {*family.labels, "le", "instance"}
        for family in ALL
    )
