"""Tables and fields for people to read; programs take `--json`."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.commands.layout import table_lines
from bridge.commands.printing import say
from bridge.plain import plain, plain_line
from bridge.wording import counted

_MOST_COLUMNS, _LONGEST_CELL = 7, 60
# In a file or a pipe: no table is as wide.
_NO_EDGE = 100_000


def show_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, optional: Sequence[str] = (), below: str = ""
) -> None:
    """Print a table that fits the terminal with its ids whole; in a pipe or a file each row is one line.

    Args:
        optional, below: see `table_lines`; both matter on a terminal only.
    """
    on_screen = sys.stdout.isatty()
    lines = table_lines(
        heads,
        [[plain_line(cell) for cell in row] for row in rows],
        width=shutil.get_terminal_size().columns if on_screen else _NO_EDGE,
        optional=optional,
        below=below if on_screen else "",
    )
    say("\n".join(lines))


def show(output: Any, *, as_json: bool) -> None:
    """What an action gave."""
    if as_json:
        say(json.dumps({"output": output}, indent=2, ensure_ascii=False))
    else:
        show_output(output)


def show_file(file: Path, size: int, content_type: str, *, as_json: bool) -> None:
    """What an action gave, where that went to a file."""
    if as_json:
        show({"file": str(file), "size": size, "content_type": content_type}, as_json=True)
    else:
        say(f"{file}: {size:,} bytes of {content_type}")


def indented(body: Any) -> str:
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return "\n".join(f"  {line}" for line in text.splitlines())


def show_output(output: Any) -> None:
    """What an action gave: a page as a table, one thing as its fields."""
    if isinstance(output, dict) and isinstance(output.get("items"), list):
        _show_page(output)
    elif isinstance(output, dict):
        _show_fields(output)
    else:
        say(json.dumps(output, indent=2, ensure_ascii=False))


def _show_page(page: Mapping[str, Any]) -> None:
    items = [item for item in page["items"] if isinstance(item, dict)]
    names = list(dict.fromkeys(name for item in items for name in item if name != "extra"))
    # What is empty everywhere, or is a structure of its own, says little in a table.
    filled = [n for n in names if any(_is_plain(item.get(n)) and item.get(n) != "" for item in items)]
    shown = filled[:_MOST_COLUMNS]
    if items:
        show_table(shown, [[_cell(item.get(name)) for name in shown] for item in items])
    parts = [counted(len(items), "item")]
    if isinstance(page.get("total"), int):
        parts.append(f"{page['total']} on all pages")
    if page.get("next_page"):
        parts.append(f'more with {{"page": {page["next_page"]}}}')
    if len(shown) < len(names):
        parts.append("all fields with --json")
    say(", ".join(parts))


def _show_fields(one: Mapping[str, Any]) -> None:
    filled = {
        name: value for name, value in one.items() if name != "extra" and value not in (None, "", [], {})
    }
    width = max((len(name) for name in filled), default=0)
    for name, value in filled.items():
        # A text of several lines stays below its name, so that none passes for a field.
        text = plain(_cell(value, longest=None)).replace("\n", "\n" + " " * (width + 2))
        say(f"{plain_line(name):<{width}}  {text}")
    if one.get("extra"):
        say(f"{'extra':<{width}}  {len(one['extra'])} more, with --json")


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _cell(value: Any, *, longest: int | None = _LONGEST_CELL) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if longest is None or len(text) <= longest:
        return text
    return f"{text[: longest - 1]}…"
