"""What a benchmark hands to `python -m tests.benchmarks`: rows, each a figure and maybe its goal.

A part is a module here with `run(short: bool) -> list[Row]`. It starts what it needs and ends it, may print
for a reader, and raises if it could not measure. `short` is the form for CI: about 20 s, enough for ratios.

    python -m tests.benchmarks.report PART [--short] [--json FILE]

runs one part and prints its rows; a part can also call `report.main("PART")` itself.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# Names the folder in which the libraries beside which we measure are installed; else a temporary one.
PEERS_FOLDER = "CALLBRIDGE_BENCHMARK_PEERS"


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure.

    Args:
        what: what was measured, in a few words; unique in its part.
        unit: of `value`; "x" for a ratio of two things that were measured in turns.
        at_least, at_most: the goal; neither where there is none.
        guard: compared in CI with the stored value (`ratios.toml`), so only for ratios and counts, which are
            the same on another machine.
        less_is_better: so it is with `at_most`, too.
        chart: rows with the same text become the bars of one chart.
        note: what a reader has to know of this figure.
    """

    what: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    guard: bool = False
    less_is_better: bool = False
    chart: str = ""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """None where there is no goal."""
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def value_text(self) -> str:
        return f"{number_text(self.value)} {self.unit}".rstrip()

    @property
    def goal(self) -> str:
        texts = [
            f"{sign} {number_text(limit)}"
            for sign, limit in (("≥", self.at_least), ("≤", self.at_most))
            if limit is not None
        ]
        return " and ".join(texts)


def number_text(value: float) -> str:
    """Three digits that count, thousands with commas."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    if value == int(value):
        return str(int(value))
    return f"{value:.{2 if abs(value) < 10 else 1}f}"


def table(rows: Sequence[Row]) -> str:
    """In Markdown."""
    lines = ["| what | value | goal | reached |", "|---|---|---|---|"]
    for row in rows:
        reached = {True: "yes", False: "**no**", None: ""}[row.reached]
        note = f" ({row.note})" if row.note else ""
        lines.append(f"| {row.what}{note} | {row.value_text} | {row.goal} | {reached} |")
    return "\n".join(lines)


def keep_compiled() -> None:
    """Have Python keep what it compiles, as where the bridge is installed, whatever the shell says.

    A process that compiles its code at each start takes 11 MB more for as long as it runs.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def run_part(name: str, *, short: bool) -> list[Row]:
    """Raises: AssertionError: it measured nothing, or two figures under one name."""
    keep_compiled()
    rows: list[Row] = importlib.import_module(f"tests.benchmarks.{name}").run(short)
    names = [row.what for row in rows]
    assert rows and len(set(names)) == len(names), f"{name} names its figures {names}"
    return rows


def main(name: str | None = None) -> None:
    parser = argparse.ArgumentParser(description="Runs one benchmark and prints its figures.")
    if name is None:
        parser.add_argument("part")
    parser.add_argument("--short", action="store_true", help="the form for CI")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    given = parser.parse_args()
    rows = run_part(name or given.part, short=given.short)
    say(f"\n{table(rows)}")
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main()
