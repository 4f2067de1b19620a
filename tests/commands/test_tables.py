"""Ids in tables are whole: somebody copies them, or a program picks them out."""

from __future__ import annotations

import pytest
from rich.text import Text

from bridge.commands.tables import show_table
from tests.commands.terminal import Terminal

IDS = [
    "31d8b2362ff57d4cb0a1c2e3",
    "60f1c2d3e4a5b6c7d8e9f001",
    "cloudtalk:call:11111111-2222-4333-8444-555555555500",
]
WHY = "its recording is not there, and nothing but the list has told of it so far"


def shown(terminal: Terminal, *, columns: int, on_screen: bool) -> list[str]:
    terminal.knows({"COLUMNS": str(columns)})
    rows = [(*IDS, WHY)]
    ran = terminal.shows(lambda: show_table(("one", "two", "key", "why"), rows), on_screen=on_screen)
    # Without what makes the heads bold.
    return Text.from_ansi(ran.out).plain.splitlines()


def test_in_a_pipe_each_row_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    heads, row = shown(Terminal(monkeypatch), columns=80, on_screen=False)

    assert heads.split() == ["one", "two", "key", "why"]
    assert row.rstrip() == "  ".join((*IDS, WHY))


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_on_a_terminal_what_is_too_long_goes_on_below(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    lines = shown(Terminal(monkeypatch), columns=columns, on_screen=True)

    assert max(map(len, lines)) <= columns
    assert "…" not in "".join(lines)
    # The columns are parted by two blanks; nothing in an id is blank.
    starts = [lines[0].index(head) for head in ("one", "two", "key", "why")]
    for id_, begin, end in zip(IDS, starts, starts[1:], strict=False):
        assert "".join(line[begin:end].strip() for line in lines[1:]) == id_
