"""All benchmarks, one after the other, and their goals: red or green.

    python -m tests.benchmarks [--only NAME …] [--short] [--store] [--out FILE] [--peers FOLDER]

Writes RESULTS.md and its charts, and ends with exit code 0 only if every part ran and every goal is reached.
With --only, nothing is written unless --out names a file. --short takes under 3 minutes and is for CI: it
compares the ratios with those in ratios.toml, and is red if one lost more than a third, twice in a row.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.benchmarks import ratios
from tests.benchmarks.parts import PARTS, Part
from tests.benchmarks.report import PEERS_FOLDER, Row, say
from tests.benchmarks.results import ROOT, Outcome, load_text, machine, write
from tests.processes import started

RESULTS = Path(__file__).parent / "RESULTS.md"
_SHORT_WITHIN_S = 90


def measure(part: Part, *, short: bool) -> Outcome:
    """Run a part in a process of its own, which takes all that it started along when it ends."""
    say(f"\n== {part.name}: {part.about}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as text:
        figures, errors = Path(text) / "figures.json", Path(text) / "errors"
        command = [sys.executable, "-m", "tests.benchmarks.report", part.name, "--json", str(figures)]
        if short:
            command.append("--short")
        with errors.open("wb") as file, started(command, stderr=file, cwd=ROOT) as process:
            try:
                code = process.wait(_SHORT_WITHIN_S if short else part.within_s)
            except subprocess.TimeoutExpired:
                code = -1
        outcome = Outcome(part, took_s=time.monotonic() - began)
        if code == 0:
            outcome.rows = [Row(**row) for row in json.loads(figures.read_text())]
        elif code == -1:
            outcome.failure = f"not ready after {outcome.took_s:.0f} s"
        else:
            outcome.failure = errors.read_text(errors="replace").strip() or f"exit code {code}"
            say(outcome.failure)
    say(f"== {part.name} took {outcome.took_s:.0f} s")
    return outcome


def guard(
    parts: Sequence[Part], known: Mapping[str, Mapping[str, float]] | None, run: Callable[[Part], Outcome]
) -> list[str]:
    """What has become a third worse than known, in two runs, as other work can do that to one of them.

    Args:
        known: the stored ratios; None: what is measured is stored.
    """
    measured: dict[str, list[Row]] = {}
    found: list[str] = []
    for part in parts:
        for is_last in (False, True):
            outcome = run(part)
            measured[part.name] = outcome.rows
            if outcome.failure:
                worse = outcome.missed
            else:
                worse = [] if known is None else ratios.lost(part.name, outcome.rows, known)
            if not worse or is_last:
                break
            say(f"again, as it may have been other work on this machine: {'; '.join(worse)}")
        found += worse
    if known is None and not found:
        ratios.store(measured)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [part.name for part in PARTS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--short", action="store_true", help="compare with the stored ratios")
    parser.add_argument("--store", action="store_true", help="with --short: store the ratios instead")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"instead of {RESULTS.name}")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="keeps what the others need installed")
    given = parser.parse_args()
    if given.peers is not None:
        os.environ[PEERS_FOLDER] = str(given.peers.absolute())
    parts = [part for part in PARTS if part.name in (given.only or names) and (part.short or not given.short)]
    facts = {**machine(), "load average before": load_text()}
    if given.short:
        known = None if given.store else ratios.stored()
        missed = guard(parts, known, lambda part: measure(part, short=True))
    else:
        outcomes = [measure(part, short=False) for part in parts]
        facts["load average after"] = load_text()
        if given.out is not None or given.only is None:
            write(given.out or RESULTS, outcomes, facts, whole=given.only is None)
        missed = [text for outcome in outcomes for text in outcome.missed]
    say("\n" + "\n".join(["RED", *missed] if missed else ["GREEN"]))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
