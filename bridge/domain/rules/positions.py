"""Where things stand in a TOML text. `tomllib` reads values and forgets their places.

A reader of what `tomllib` accepts: it checks nothing beyond what it needs to go on. In a text that is not
TOML it stops at the first thing it does not know, and gives the places up to there.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from dataclasses import dataclass, field

Path = tuple[str | int, ...]

# Deeper than any rules file, and shallow enough for code that walks it by recursion.
_DEEPEST = 32
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = {
    '"""': re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    "'''": re.compile(r"'''(?:[^']|'(?!''))*'{3,5}"),
    '"': re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    "'": re.compile(r"'[^'\n]*'"),
}
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


class TooDeepError(Exception):
    def __init__(self, offset: int) -> None:
        super().__init__("nested too deeply")
        self.offset = offset


class _LostError(Exception):
    """The text is not TOML from here on."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A name that is set once more, which TOML forbids."""

    path: Path
    offset: int
    first: int


@dataclass(slots=True)
class Places:
    """Offsets in `text`, by the path of names and list positions that leads to a value.

    Attributes:
        keys: where the name of a value stands; of a `[[rule]]` block, its bracket.
        values: start and end of the value itself. A table with a header has none.
        statements: where `name = value` begins, with what stands before a dot in the name.
    """

    text: str
    keys: dict[Path, int] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    statements: dict[Path, int] = field(default_factory=dict)
    repeats: list[Repeat] = field(default_factory=list)
    # Lists and inline tables that begin here and do not end.
    unclosed: list[int] = field(default_factory=list)

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Both from 1; a column is a character, a tab too."""
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)

    def of_key(self, path: Path) -> int:
        """The name's offset, else that of the nearest thing around it."""
        while path and path not in self.keys and path not in self.values:
            path = path[:-1]
        if path in self.keys:
            return self.keys[path]
        return self.values[path][0] if path in self.values else 0

    def of_value(self, path: Path) -> int:
        """The value's offset, else that of the nearest thing around it."""
        while path and path not in self.values and path not in self.keys:
            path = path[:-1]
        return self.values[path][0] if path in self.values else self.keys.get(path, 0)

    def raw(self, path: Path) -> str:
        """The value as it is written."""
        start, end = self.values.get(path, (0, 0))
        return self.text[start:end]


def places_of(text: str) -> Places:
    """Raises TooDeepError: lists and tables inside of one another, without end in sight."""
    places = Places(text)
    with contextlib.suppress(_LostError):
        _Scanner(text, places).run()
    return places


class _Scanner:
    def __init__(self, text: str, places: Places) -> None:
        self._text = text
        self._places = places
        self._at = 0
        # Blocks of each array of tables so far.
        self._blocks: dict[Path, int] = {}
        # Tables that have a header.
        self._headed: dict[Path, int] = {}

    def run(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            table = self._header() if self._text[self._at] == "[" else self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        start = self._at
        double = self._text.startswith("[[", start)
        self._at += 2 if double else 1
        parts = self._key()
        self._expect("]]" if double else "]")
        outer: Path = ()
        for name, offset in parts[:-1]:
            outer = self._last_block((*outer, name))
            self._places.keys.setdefault(outer, offset)
        path = (*outer, parts[-1][0])
        if double:
            number = self._blocks[path] = self._blocks.get(path, 0) + 1
            self._places.keys.setdefault(path, start)
            path = (*path, number - 1)
            self._places.keys[path] = start
            return path
        path = self._last_block(path)
        if path in self._headed or path in self._places.values:
            self._repeat(path, start, self._headed.get(path, self._places.of_key(path)))
        self._headed[path] = start
        self._places.keys.setdefault(path, start)
        return path

    def _last_block(self, path: Path) -> Path:
        return (*path, self._blocks[path] - 1) if path in self._blocks else path

    def _pair(self, table: Path) -> Path:
        """One `name = value`. Gives the table back, for what follows."""
        parts = self._key()
        path = table
        start = parts[0][1]
        for name, offset in parts:
            path = (*path, name)
            if path not in self._places.keys:
                self._places.keys[path] = offset
            elif path in self._places.values or offset == parts[-1][1]:
                self._repeat(path, offset, self._places.keys[path])
        self._places.statements.setdefault(path, start)
        self._expect("=")
        self._skip(_SPACE)
        self._value(path)
        return table

    def _repeat(self, path: Path, offset: int, first: int) -> None:
        self._places.repeats.append(Repeat(path, offset, first))

    def _key(self) -> list[tuple[str, int]]:
        parts: list[tuple[str, int]] = []
        while True:
            self._skip(_SPACE)
            start = self._at
            if self._text[start : start + 1] in ('"', "'"):
                self._string()
                parts.append((_unquoted(self._text[start : self._at]), start))
            else:
                self._match(_BARE)
                parts.append((self._text[start : self._at], start))
            if len(parts) > _DEEPEST:
                raise TooDeepError(start)
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, path: Path) -> None:
        if len(path) > _DEEPEST:
            raise TooDeepError(self._at)
        start = self._at
        match self._text[start : start + 1]:
            case '"' | "'":
                self._string()
            case "[":
                self._list(path)
            case "{":
                self._inline_table(path)
            case _:
                self._match(_SCALAR)
                self._at = start + len(self._text[start : self._at].rstrip(" \t"))
        self._places.values.setdefault(path, (start, self._at))

    def _list(self, path: Path) -> None:
        self._places.unclosed.append(self._at)
        self._at += 1
        for number in range(len(self._text)):
            self._skip(_BLANK)
            if self._text.startswith("]", self._at):
                break
            self._value((*path, number))
            self._skip(_BLANK)
            if not self._text.startswith(",", self._at):
                break
            self._at += 1
        self._expect("]")
        self._places.unclosed.pop()

    def _inline_table(self, path: Path) -> None:
        self._places.unclosed.append(self._at)
        self._at += 1
        self._skip(_SPACE)
        while not self._text.startswith("}", self._at):
            self._pair(path)
            self._skip(_SPACE)
            if not self._text.startswith(",", self._at):
                break
            self._at += 1
            self._skip(_SPACE)
        self._expect("}")
        self._places.unclosed.pop()

    def _string(self) -> None:
        three, one = self._text[self._at : self._at + 3], self._text[self._at]
        self._match(_STRINGS[three if three in _STRINGS else one])

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _match(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _LostError
        self._at = found.end()

    def _expect(self, sign: str) -> None:
        self._skip(_SPACE)
        if not self._text.startswith(sign, self._at):
            raise _LostError
        self._at += len(sign)


def _unquoted(text: str) -> str:
    try:
        (name,) = tomllib.loads(f"{text} = 0")
    except ValueError:
        raise _LostError from None
    return name
