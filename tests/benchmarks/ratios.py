"""Ratios of an earlier run, against which `--short` looks for a loss (`ratios.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.benchmarks.report import Row, number_text

FILE = Path(__file__).parent / "ratios.toml"
# The part of a ratio that may be lost. Two cores that others use too move a ratio by a fifth between runs.
MAY_LOSE = 1 / 3
_HEAD = """\
# The ratios of the short form on a machine with 2 cores, as `python -m tests.benchmarks --short --store`
# wrote them. CI is red if one loses more than a third.
# Store anew what has become better, or worse for a stated reason.
"""


def stored() -> dict[str, dict[str, float]]:
    """For each part, its ratios."""
    return tomllib.loads(FILE.read_text())


def lost(part: str, rows: Iterable[Row], known: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Which ratios lost more than a third, or are only stored or only measured, in words."""
    before = known.get(part, {})
    now = {row.what: row for row in rows if row.guard}
    found = [f"{part}: {what}: no longer measured" for what in before.keys() - now.keys()]
    for what, row in now.items():
        if what not in before:
            found.append(f"{part}: {what}: not in {FILE.name}; run with --store")
        elif _is_worse(row, before[what]):
            found.append(f"{part}: {what}: {number_text(row.value)}, was {number_text(before[what])}")
    return found


def _is_worse(row: Row, before: float) -> bool:
    if row.less_is_better or row.at_most is not None:
        return row.value > before / (1 - MAY_LOSE)
    return row.value < before * (1 - MAY_LOSE)


def store(measured: dict[str, list[Row]]) -> None:
    """Replaces the ratios of these parts."""
    ratios = stored() if FILE.exists() else {}
    for part, rows in measured.items():
        if guarded := {row.what: row.value for row in rows if row.guard}:
            ratios[part] = guarded
    parts = [
        f"\n[{part}]\n" + "".join(f'"{what}" = {value:.3g}\n' for what, value in sorted(of.items()))
        for part, of in sorted(ratios.items())
    ]
    FILE.write_text(_HEAD + "".join(parts))
