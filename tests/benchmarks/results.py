"""RESULTS.md: the figures of a run as tables and charts, and what machine they are of."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bridge.local.embedded import find_server
from tests.benchmarks.charts import bars, file_name
from tests.benchmarks.parts import Part
from tests.benchmarks.report import Row, table

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Outcome:
    """What became of a part. `failure` is empty unless it could not measure."""

    part: Part
    rows: list[Row] = field(default_factory=list)
    failure: str = ""
    took_s: float = 0.0

    @property
    def missed(self) -> list[str]:
        """What speaks against green, in words."""
        if self.failure:
            return [f"{self.part.name} did not run: {self.failure.splitlines()[-1]}"]
        return [
            f"{self.part.name}: {row.what}: {row.value_text}, goal {row.goal}"
            for row in self.rows
            if row.reached is False
        ]


def machine() -> dict[str, str]:
    """What the figures depend on. `load` is of now: call it before the first part as well."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _said("git", "describe", "--always", "--dirty"),
        "processor": f"{os.cpu_count()} cores, {_found('/proc/cpuinfo', 'model name') or platform.machine()}",
        "memory": _found("/proc/meminfo", "MemTotal"),
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        "Redis": _said(str(find_server()), "--version"),
    }


def load_text() -> str:
    return " ".join(f"{one:.1f}" for one in os.getloadavg())


def _said(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return ran.stdout.strip() or "unknown"


def _found(path: str, key: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def write(out: Path, outcomes: Sequence[Outcome], facts: dict[str, str], *, whole: bool) -> None:
    """The document, and its charts in `charts/` beside it; of a whole run nothing old stays there."""
    folder = out.parent / "charts"
    folder.mkdir(parents=True, exist_ok=True)
    if whole:
        for old in folder.glob("*.svg"):
            old.unlink()
    missed = [text for outcome in outcomes for text in outcome.missed]
    goals = sum(row.reached is not None for outcome in outcomes for row in outcome.rows)
    reached = sum(row.reached is True for outcome in outcomes for row in outcome.rows)
    lines = [
        "# Results",
        "",
        "Written by `python -m tests.benchmarks`; [README.md](README.md) says how to read it. A ratio is of",
        "two things that ran in turns in this run. A single number is this machine's, whatever else it did.",
        "",
        f"**{'Green' if not missed else 'Red'}: {reached} of {goals} goals reached.**",
        *(["", *(f"- {text}" for text in missed)] if missed else []),
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in facts.items()),
    ]
    section = ""
    for outcome in outcomes:
        if outcome.part.section != section:
            section = outcome.part.section
            lines += ["", f"## {section}"]
        lines += ["", f"### {outcome.part.name}", "", f"{outcome.part.about} {outcome.took_s:.0f} s.", ""]
        lines += (
            [f"Did not run: {outcome.failure.splitlines()[-1]}"] if outcome.failure else [table(outcome.rows)]
        )
        lines += _charts(outcome, folder)
    out.write_text("\n".join(lines) + "\n")


def _charts(outcome: Outcome, folder: Path) -> list[str]:
    titles = dict.fromkeys(row.chart for row in outcome.rows if row.chart)
    lines: list[str] = []
    for title in titles:
        name = file_name(f"{outcome.part.name} {title}")
        (folder / name).write_text(bars(title, [row for row in outcome.rows if row.chart == title]))
        lines += ["", f"![{title}](charts/{name})"]
    return lines
