"""Tables as lines of text that fit a terminal: words wrap, ids stay whole."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len

_GAP = "  "
# A column of words narrower than this is hard to read.
_NARROWEST_WORDS = 16

Rows = Sequence[Sequence[str]]


def table_lines(
    heads: Sequence[str], rows: Rows, *, width: int, optional: Sequence[str] = (), below: str = ""
) -> list[str]:
    """A head line, then the rows.

    Args:
        width: columns of the terminal.
        optional: columns to leave out on a narrow terminal, the first named first.
        below: the column whose text stands on lines of its own under its row, for long reasons.

    Returns:
        Lines of at most `width` columns, unless one id alone is wider. Where even the narrowest table is
        too wide, each row becomes a block of `name  value` lines.
    """
    left_out: set[str] = {below} if below else set()
    for name in ("", *optional):
        left_out |= {name}
        kept = [at for at, head in enumerate(heads) if head not in left_out]
        widths = _widths([heads, *rows], kept, width)
        if widths is not None:
            return _table(heads, rows, kept, widths, width, heads.index(below) if below else None)
    return _blocks(heads, rows, width)


def _widths(lines: Rows, kept: Sequence[int], width: int) -> list[int] | None:
    """The columns' widths, or None where ids would have to be broken."""
    natural = [max(cell_len(line[at]) for line in lines) for at in kept]
    least = [
        min(full, _NARROWEST_WORDS) if any(" " in line[at] for line in lines[1:]) else full
        for full, at in zip(natural, kept, strict=True)
    ]
    # A time such as 2026-11-22 01:25 CET has blanks and is still read as one.
    room = width - len(_GAP) * (len(kept) - 1)
    if sum(least) > room:
        return None
    over = sum(natural) - room
    widths = list(natural)
    while over > 0:
        at = max(range(len(widths)), key=lambda i: widths[i] - least[i])
        taken = min(over, max(1, (widths[at] - least[at]) // 2))
        widths[at] -= taken
        over -= taken
    return widths


def _table(
    heads: Sequence[str], rows: Rows, kept: Sequence[int], widths: list[int], width: int, below: int | None
) -> list[str]:
    lines = [_line([heads[at] for at in kept], widths)]
    for row in rows:
        cells = [_wrapped(row[at], wide) for at, wide in zip(kept, widths, strict=True)]
        lines += [_line(parts, widths) for parts in zip_longest(*cells, fillvalue="")]
        if below is not None and row[below]:
            lines += textwrap.wrap(
                row[below], width, initial_indent="    ", subsequent_indent="    ", break_long_words=False
            )
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_long_words=True, break_on_hyphens=False) or [""]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (wide - cell_len(cell)) for cell, wide in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()


def _blocks(heads: Sequence[str], rows: Rows, width: int) -> list[str]:
    wide = max(map(cell_len, heads))
    lines: list[str] = []
    for row in rows:
        lines += [""] if lines else []
        for head, cell in zip(heads, row, strict=True):
            if not cell:
                continue
            first = f"{head:<{wide}}{_GAP}"
            lines += textwrap.wrap(
                cell,
                max(width, wide + _NARROWEST_WORDS),
                initial_indent=first,
                subsequent_indent=" " * len(first),
                break_long_words=False,
                break_on_hyphens=False,
            )
    return lines
