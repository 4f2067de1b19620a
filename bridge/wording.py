"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number with its noun: "1 call", "2,000 calls", "3 entries", "0 processes"."""
    if number != 1 and what.endswith("y"):
        what = f"{what[:-1]}ies"
    elif number != 1:
        what = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{number:,} {what}"


def times(number: int) -> str:
    return "once" if number == 1 else "twice" if number == 2 else f"{number} times"
