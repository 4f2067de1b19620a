"""A rules file of version 1 as one of version 2, with its comments and its order."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from bridge.domain.rules.positions import Path, Places, places_of

_ASSIGN = ("conversation", "assign_agent")


def as_version_2(text: str) -> str:
    """The same rules. The text must be right as version 1; one that is of version 2 stays as it is."""
    table = tomllib.loads(text)
    if table.get("version") == 2:
        return text
    places = places_of(text)
    made = text
    # From behind, so that the places before stay.
    for start, stop, instead in sorted(_changes(table, places), reverse=True):
        made = made[:start] + instead + made[stop:]
    if "version" not in table:
        made = f"version = 2\n{made}"
    assigns = table.get("conversation", {}).get("assign_agent")
    if assigns is not None:
        made = made.rstrip("\n") + "\n\n" + "[agents]\n"
        made += 'assign = "longest"\n' if assigns else 'assign = "none"\n'
    return made


def _changes(table: dict[str, object], places: Places) -> Iterator[tuple[int, int, str]]:
    if "version" in table:
        start, stop = places.values[("version",)]
        yield start, stop, "2"
    if _ASSIGN in places.values:
        yield _without(_ASSIGN, places)


def _without(path: Path, places: Places) -> tuple[int, int, str]:
    """The range to take out for this name to be gone: its line, or its part of an inline table."""
    text = places.text
    start, stop = places.statements[path], places.values[path][1]
    if _is_inline(path, places):
        after = len(text[stop:]) - len(text[stop:].lstrip(" \t"))
        if text[stop + after : stop + after + 1] == ",":
            rest = text[stop + after + 1 :]
            return start, stop + after + 1 + len(rest) - len(rest.lstrip(" \t")), ""
        before = text[:start].rstrip(" \t")
        return (len(before) - 1 if before.endswith(",") else start), stop, ""
    comment = text[stop : text.find("\n", stop) if "\n" in text[stop:] else len(text)]
    if comment.strip():
        return start, stop + len(comment) - len(comment.lstrip(" \t")), ""
    line = text.rfind("\n", 0, start) + 1
    following = text.find("\n", stop)
    return line, (following + 1 if following >= 0 else len(text)), ""


def _is_inline(path: Path, places: Places) -> bool:
    start = places.values.get(path[:-1])
    return start is not None and places.text[start[0]] == "{"
