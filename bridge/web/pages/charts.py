"""Bars for a chart, in the units of its drawing. Pure: the template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 100
# Shorter than that a bar would not be seen.
_LOWEST = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One place of a chart: `parts` are (class, y, height) from the ground up; `title` is said of it."""

    x: float
    width: float
    parts: tuple[tuple[str, float, float], ...]
    title: str
    # The bar behind: (y, height).
    behind: tuple[float, float] | None = None


def bars_of(
    series: Sequence[tuple[str, Sequence[int]]],
    titles: Sequence[str],
    *,
    beside: Sequence[int] = (),
    at_least: int = 4,
) -> list[Bar]:
    """Bars side by side, each with one part for each series.

    Args:
        series: the class of its parts (`first`, `second`, `rest`) and its numbers, oldest first; all as
            long as `titles`.
        beside: numbers of a wider bar behind each, to compare with.
        at_least: the scale reaches this far at least, so that a single call does not look like a rush.
    """
    sums = [sum(numbers) for numbers in zip(*(values for _, values in series), strict=True)]
    top = max([at_least, *sums, *beside])
    step = WIDTH / max(len(titles), 1)
    gap = min(step / 4, 3.0)
    return [
        Bar(
            x=round(place * step + gap / 2, 2),
            width=round(step - gap, 2),
            parts=_stack([(name, values[place]) for name, values in series], top),
            title=title,
            behind=next(((y, height) for _, y, height in _stack([("", beside[place])], top)), None)
            if beside
            else None,
        )
        for place, title in enumerate(titles)
    ]


def _stack(numbers: Sequence[tuple[str, int]], top: int) -> tuple[tuple[str, float, float], ...]:
    parts, ground = [], float(HEIGHT)
    for name, number in numbers:
        if number:
            height = max(round(number / top * HEIGHT, 1), _LOWEST)
            ground = max(ground - height, 0.0)
            parts.append((name, round(ground, 1), height))
    return tuple(parts)


def share_of(part: float, whole: float) -> float:
    """How much of a meter 100 units wide is filled."""
    return round(min(max(part / whole, 0.0), 1.0) * 100, 1) if whole > 0 else 0.0
