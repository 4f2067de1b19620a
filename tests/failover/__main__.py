"""Kill the master under load, and print what it cost: `python -m tests.failover [sentinel|cluster]`.

Takes about 20 s a kill. Exits 1 if an accepted webhook was lost, or one was written twice.

`python -m tests.failover rolling` replaces all processes of the bridge instead, as an upgrade in a cluster
does: two web processes behind a balancer, three workers and a clock, `--rounds` times, about 25 s each. Exits
1 also if a webhook was refused, a lease was late or a process had to be killed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bridge.local.embedded import find_server
from tests.failover.drill import Outcome, drill
from tests.failover.rolling import DRAIN_S, rolling
from tests.failover.servers import DOWN_AFTER_MS, Cluster, WithSentinel
from tests.reaper import Reaper

_KINDS: dict[str, type[WithSentinel] | type[Cluster]] = {"sentinel": WithSentinel, "cluster": Cluster}


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.failover", description=__doc__)
    options.add_argument("kinds", nargs="*", metavar="sentinel|cluster|rolling")
    options.add_argument("--kills", type=int, default=5)
    options.add_argument("--rate", type=float, default=50, help="webhooks a second")
    options.add_argument("--how", choices=["kill", "freeze", "switch"], default="kill")
    options.add_argument("--accept-after", choices=["memory", "replica"], default="replica")
    options.add_argument("--server", type=Path, help="a redis-server or valkey-server instead of the bundled")
    options.add_argument("--rounds", type=int, default=5, help="of rolling")
    options.add_argument("--drain", type=float, default=DRAIN_S, help="DRAIN_S of rolling; 0: none")
    options.add_argument("--balancer", choices=["http", "tcp"], default="http", help="of rolling")
    options.add_argument("--keep", type=Path, help="folder for the logs")
    chosen = options.parse_args()
    if unknown := set(chosen.kinds) - set(_KINDS) - {"rolling"}:
        options.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(_KINDS)}, rolling")
    failed = False
    with Reaper():
        for name in chosen.kinds or _KINDS:
            folder = chosen.keep / name if chosen.keep else Path(tempfile.mkdtemp(prefix=name))
            folder.mkdir(parents=True, exist_ok=True)
            began = time.monotonic()
            if name == "rolling":
                failed |= not _roll(folder, chosen)
                continue
            outcome = drill(
                folder,
                partial(_KINDS[name], program=chosen.server or find_server()),
                kills=chosen.kills,
                a_second=chosen.rate,
                accept_after=chosen.accept_after,
                how=chosen.how,
                on_disk=chosen.keep is not None,
                says=lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201
            )
            failed |= bool(outcome.lost or outcome.twice)
            title = f"{name}, {chosen.how}, {chosen.rate:g} webhooks a second, "
            down_after = f"ACCEPT_AFTER={chosen.accept_after}, down after {DOWN_AFTER_MS / 1000:g} s; "
            took = f"{down_after}took {time.monotonic() - began:.0f} s"
            lines = [f"{title}{took}", "", *table(outcome)]
            print("\n".join(lines), flush=True)  # noqa: T201
    return int(failed)


def _roll(folder: Path, chosen: argparse.Namespace) -> bool:
    """Whether nothing went wrong."""
    outcome = rolling(
        folder,
        chosen.balancer,
        rounds=chosen.rounds,
        a_second=chosen.rate,
        drain_s=chosen.drain,
        on_disk=chosen.keep is not None,
        says=lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201
    )
    replaced = ", ".join(f"{count} x {kind}" for kind, count in outcome.replaced.items())
    ends = ", ".join(f"{kind} {took:.1f} s" for kind, took in outcome.slowest_end_s.items())
    by_status = ", ".join(f"{count} x {status or 'no answer'}" for status, count in outcome.refused.items())
    sizes = ", ".join(
        f"{kind} {memory:.0f} MB, {outcome.cores[kind]:.2f} cores"
        for kind, memory in outcome.memory_mb.items()
    )
    lines = [
        f"rolling, {chosen.rate:g} webhooks a second, balancer {chosen.balancer}, "
        f"{outcome.rounds} rounds: {replaced}",
        "",
        f"{outcome.sent} webhooks sent, {outcome.accepted} accepted, refused: {by_status or 0}; "
        f"lost: {len(outcome.lost)}; written twice: {len(outcome.twice)}.",
        f"Leases late: {outcome.leases_late}; jobs handed back: {outcome.handed_back}; "
        f"killed after their grace period: {len(outcome.killed)}; slowest end: {ends}.",
        f"Most memory and processor of a process: {sizes}.",
        f"Longest time without an accepted webhook {outcome.gap_s:.2f} s, "
        f"without a note {outcome.first_note_s:.2f} s. "
        f"All jobs had ended {outcome.drained_s:.1f} s after the last webhook.",
        *(f"- lost: {one}" for one in outcome.lost[:10]),
        *(f"- twice: {one}" for one in outcome.twice[:10]),
        "",
    ]
    print("\n".join(lines), flush=True)  # noqa: T201
    return outcome.is_clean


def table(outcome: Outcome) -> list[str]:
    """For a page in Markdown."""
    lines = [
        "| kill | another master after | webhooks not accepted for | refused | no new note for |",
        "|---|---|---|---|---|",
    ]
    for number, one in enumerate(outcome.kills):
        by_status = ", ".join(f"{count} x {status or 'no answer'}" for status, count in one.refused.items())
        times = f"{one.another_s:.1f} s | {one.gap_s:.1f} s | {by_status or 0} | {one.first_note_s:.1f} s"
        lines.append(f"| {number + 1} | {times} |")
    return [
        *lines,
        "",
        f"{outcome.sent} webhooks sent, {outcome.accepted} accepted; of these lost: {len(outcome.lost)}; "
        f"written twice: {len(outcome.twice)}. All jobs had ended {outcome.drained_s:.0f} s after the last.",
        *(f"- lost: {one}" for one in outcome.lost[:10]),
        *(f"- twice: {one}" for one in outcome.twice[:10]),
        "",
    ]


if __name__ == "__main__":
    sys.exit(main())
