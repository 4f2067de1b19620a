"""What a run showed, as Markdown, with a chart beside it. No paths and no names of machines in either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.chart import draw

if TYPE_CHECKING:
    from tests.chaos.run import Outcome


def write_report(outcome: Outcome, path: Path | None) -> str:
    """The report's text; written to `path` with its chart beside it, where one is given."""
    chart = None if path is None else path.with_suffix(".svg")
    text = report(outcome, chart=None if chart is None else chart.name)
    if path is not None and chart is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        chart.write_text(draw(outcome), "utf-8")
    return text


def report(outcome: Outcome, *, chart: str | None = None) -> str:
    """All figures of a run."""
    verdict, day = outcome.verdict, outcome.day
    written = sum(call.written for call in day.calls)
    result = "passed" if not outcome.failures else f"FAILED, {len(outcome.failures)} findings"
    settled = (
        "not in time" if outcome.settled_s is None else f"{outcome.settled_s:.1f} s after the last fault"
    )
    parts = [
        f"# Chaos run: {result}",
        "",
        f"Seed {outcome.seed}, a day of {outcome.duration_s:.0f} s; load and faults lasted "
        f"{outcome.lasted_s:.0f} s. "
        + ", ".join(f"{name} {version}" for name, version in outcome.versions.items())
        + ".",
        "",
        "## Result",
        "",
        *_table(
            ("lost", "duplicated", "wrong", "stuck or parked", "deliveries never taken", "secrets in logs"),
            [
                [
                    len(verdict.lost),
                    len(verdict.duplicated),
                    len(verdict.wrong),
                    len(outcome.stuck),
                    outcome.untaken,
                    len(outcome.leaked),
                ]
            ],
        ),
        "",
        f"- {len(day.calls)} calls, {written} of them to be written, "
        f"{sum(call.attachment is not None for call in day.calls)} with a recording to attach: "
        + ", ".join(
            f"{count} {kind}" for kind, count in Counter(call.kind for call in day.calls).most_common()
        ),
        f"- {len(outcome.taken)} deliveries taken, in {sum(outcome.answers.values())} requests: "
        + ", ".join(f"{count} × {status}" for status, count in sorted(outcome.answers.items())),
        *_unheard(outcome),
        *([f"- {len(day.texts)} text messages"] if day.texts else []),
        *([f"- {len(day.said)} calls of which CloudTalk's AI says something"] if day.said else []),
        f"- all done {settled}; nothing was replayed and no time was moved to get there",
        f"- {verdict.orphans} attachments that no note names (registered, and the reply got lost)",
        *(f"  - {one}" for one in outcome.failures[:40]),
        "",
        "## How long",
        "",
        "From the moment that the end of a call was taken (2xx) to its note, and from the last delivery of a "
        "call to the last change of its note where that came later; seconds, faults and all.",
        "",
        *_table(
            ("", "median", "90 %", "99 %", "worst"),
            [
                ["end told to note written", *_percentiles(_latencies(outcome))],
                ["last delivery to last change", *_percentiles(_settling(outcome))],
            ],
        ),
        "",
        *([f"![Taken and written per second, and the faults]({chart})", ""] if chart else []),
        "## Faults",
        "",
        *_table(
            ("fault", "times"),
            [
                *(
                    [f"SIGKILL {target}", count]
                    for target, count in sorted(outcome.kills.items(), key=lambda item: item[0])
                ),
                [
                    "SIGSTOP of a worker for 5.5 to 14 s (a lease lasts 4 s)",
                    sum(one.kind == "freeze" for one in outcome.struck),
                ],
                *(
                    [f"SIGSTOP of {what} for 0.5 to {longest} s", _paused(outcome, is_redis=what == "Redis")]
                    for what, longest in (("a worker", 2.2), ("Redis", 2))
                ),
                [
                    "wall clock of a process stepped by 1 s to 25 h, either way",
                    sum(one.kind == "clock step" for one in outcome.struck),
                ],
                *(
                    [f"at the services: {kind}", count]
                    for kind, count in sorted(outcome.service_faults.items())
                ),
            ],
        ),
        "",
        f"Replies lost between the bridge and what it talks to: {outcome.replies_lost} of {outcome.replies} "
        f"({outcome.replies_lost / max(1, outcome.replies):.1%}).",
        "",
        *_table(
            ("wire to", "requests", "never arrived", "replies", "lost", "cut", "hung 6 s", "late"),
            [
                [
                    name,
                    *(wire[key] for key in ("requests", "drop", "replies", "lose", "cut", "hang", "delay")),
                ]
                for name, wire in outcome.wires.items()
            ],
        ),
        "",
        f"Runs of jobs: {_job_ends(outcome)}. A run that lost its lease wrote nothing more. "
        f"Workers that were not stopped for longer than a lease lasts lost {outcome.leases_lost} of them.",
        "",
        "The faults are drawn from the seed; which request or reply one meets depends on the machine. The "
        "wall clocks of web, workers and clock were stepped; Redis' own was not, as that takes root.",
        "",
    ]
    return "\n".join(parts)


def _paused(outcome: Outcome, *, is_redis: bool) -> int:
    return sum(one.kind == "pause" and (one.target == "redis") == is_redis for one in outcome.struck)


def _unheard(outcome: Outcome) -> list[str]:
    told = {delivery.call for delivery in outcome.day.deliveries}
    silent = [call for number, call in enumerate(outcome.day.calls) if number not in told]
    if not silent:
        return []
    written = sum(call.written for call in silent)
    return [
        f"- no webhook told of {len(silent)} of these calls, {written} of them to be written: "
        "the clock found them in CloudTalk's list"
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]


def _job_ends(outcome: Outcome) -> str:
    """How the runs of jobs ended, by the bridge's own count."""
    words = {
        "done": "done",
        "again": "due again",
        "failed": "failed and tried again",
        "later": "waited for a slot or a lock",
        "lost": "lost their lease",
        "parked": "parked",
    }
    ends: Counter[str] = Counter()
    for name, count in outcome.counts.items():
        if name.startswith("job:"):
            ends[name.rpartition(":")[2]] += count
    return ", ".join(f"{ends[end]} {text}" for end, text in words.items() if ends[end])


def _latencies(outcome: Outcome) -> list[float]:
    told: dict[int, float] = {}
    for delivery, taken in zip(outcome.day.deliveries, outcome.taken, strict=True):
        if delivery.ends and taken is not None:
            told[delivery.call] = min(taken, told.get(delivery.call, taken))
    written = outcome.verdict.written_at
    return [max(0.0, at - told[call]) for call, at in written.items() if call in told]


def _settling(outcome: Outcome) -> list[float]:
    last: dict[int, float] = {}
    for delivery, taken in zip(outcome.day.deliveries, outcome.taken, strict=True):
        if taken is not None and not delivery.trigger.startswith("message"):
            last[delivery.call] = max(taken, last.get(delivery.call, taken))
    return [max(0.0, at - last[call]) for call, at in outcome.verdict.settled_at.items() if call in last]


def _percentiles(values: list[float]) -> list[str]:
    if not values:
        return ["-"] * 4
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.9, 0.99)]
    return [f"{value:.1f}" for value in (*at, ordered[-1])]
