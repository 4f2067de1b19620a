"""Lengths of time as a note says them."""

from __future__ import annotations


def span(seconds: int) -> str:
    """`97` -> `1 min 37 s`."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest} s" if rest else ""]
    return " ".join(part for part in parts if part) or "0 s"


def clock_span(seconds: int) -> str:
    """`97` -> `1:37`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
