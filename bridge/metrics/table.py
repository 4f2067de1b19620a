"""The table of metrics in deploy/metrics.md: `python -m bridge.metrics.table` puts it there."""

from __future__ import annotations

from pathlib import Path

from bridge.metrics.families import ALL
from bridge.metrics.family import GLOBAL, Family

BEGIN = "<!-- metrics: made by python -m bridge.metrics.table -->"
END = "<!-- end of metrics -->"


def table() -> str:
    rows = ["| metric | type | labels | of | meaning |", "|---|---|---|---|---|"]
    return "\n".join([*rows, *map(_row, ALL)])


def _row(family: Family) -> str:
    said = family.help.removeprefix(GLOBAL)
    said = said[0].upper() + said[1:]
    labels = ", ".join(f"`{name}`" for name in family.labels)
    whose = "all" if family.is_global else "process"
    return f"| `{family.sample_name}` | {family.kind} | {labels} | {whose} | {said} |"


def written(document: str) -> str:
    """The document with the table of now."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "deploy" / "metrics.md"
    path.write_text(written(path.read_text("utf-8")), "utf-8")
