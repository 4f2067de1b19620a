"""Ids in tables are whole: somebody copies them, or a program picks them out."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.text import Text

from bridge.commands.layout import table_lines
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


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_on_a_terminal_ids_stay_whole_and_no_line_is_too_long(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    lines = shown(Terminal(monkeypatch), columns=columns, on_screen=True)

    assert max(map(len, lines)) <= columns
    assert all(any(id_ in line.split() for line in lines) for id_ in IDS)


def test_a_table_that_cannot_fit_becomes_a_block_of_fields_for_each_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = shown(Terminal(monkeypatch), columns=60, on_screen=True)

    assert [line.split()[0] for line in lines[:3]] == ["one", "two", "key"]
    assert [line.split()[1] for line in lines[:3]] == IDS


def test_a_narrow_terminal_does_without_optional_columns_and_shows_reasons_below() -> None:
    heads = ("call", "state", "conversation", "why")
    rows = [("1000000110", "parked", IDS[0], WHY), ("1000000111", "synced", IDS[1], "")]

    wide = table_lines(heads, rows, width=70, optional=("conversation",), below="why")
    narrow = table_lines(heads, rows, width=40, optional=("conversation",), below="why")

    assert wide[0].split() == ["call", "state", "conversation"]
    assert narrow[0].split() == ["call", "state"]
    assert narrow[1].split() == ["1000000110", "parked"]
    assert " ".join(" ".join(narrow[2:-1]).split()) == WHY
    assert narrow[-1].split() == ["1000000111", "synced"]
    assert max(map(len, narrow)) <= 40


def test_wide_characters_keep_columns_apart() -> None:
    lines = table_lines(("name", "id"), [("山田太郎", "400101"), ("Bo", "400102")], width=80)

    assert cell_len(lines[1].partition("400101")[0]) == len(lines[2].partition("400102")[0])
