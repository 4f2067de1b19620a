"""`callbridge backfill`: bring a span of calls into Kustomer, such as an hour in which webhooks were off."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from bridge import logs
from bridge.commands.confirming import confirm, is_at_terminal
from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.commands.spans import read_span
from bridge.domain.moments import shown_time
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.ledger.calls.call_status import CallState, CallStatus
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.parked import workers_listen
from bridge.reconcile.backfill import Backfill, Estimate, Progress
from bridge.reconcile.compare import Comparison, Span
from bridge.settings import Settings
from bridge.wiring import open_deps, opened_ledger, shares
from bridge.wording import counted

# A worker that connects anew is not heard for a moment.
_LOOKS_WITHOUT_WORKER = 3
_PLAIN_LINE_EVERY_S = 10.0
_MOST_NAMED = 20
# At a terminal: a slip in --since writes years of calls.
_ASKED_ABOVE = 100
_DONE, _NEEDS_A_PERSON = 0, 3
# What backfill cannot bring to an end by itself, by its name in the JSON.
_OPEN = ("parked", "waiting", "unknown")
# After an error of Redis.
AGAIN = ". Then run the command again; nothing is done twice."
PATIENCE = BudgetWaiter(pause=time.sleep, say=lambda text: say(text, err=True))


@click.command()
@click.option("--since", required=True, help="2026-11-20T08:00, 2026-11-20, or how long ago: 90m, 24h, 7d.")
@click.option("--until", help="Same format; default: now. Times without a zone are in TIME_ZONE.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@click.option(
    "--no-wait", is_flag=True, help="Exit once the calls are queued, not once they are in Kustomer."
)
@click.option("--yes", is_flag=True, help=f"Do not ask for confirmation above {_ASKED_ABOVE} calls.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object at the end; progress goes to standard error.",
)
def backfill(*, since: str, until: str | None, dry_run: bool, no_wait: bool, yes: bool, as_json: bool) -> int:
    """Find calls for which no webhook came, and write them to Kustomer.

    Safe to run at any time and repeatedly: what Kustomer already has is found and left as it is. If no
    worker is running, the jobs run here. Exits with 3 if calls failed for good, now or earlier.
    """
    settings = load_settings(need=("redis", "cloudtalk", "kustomer"))
    logs.configure(format=settings.log_format, level="WARNING")
    span = read_span(since, until, now=datetime.now(UTC), zone=settings.time_zone)
    with opened_ledger(settings, hint=AGAIN) as ledger:
        run = Backfill(open_deps(settings, ledger), span, PATIENCE)
        found = run.look(datetime.now(UTC))
        estimate = Estimate.of(found, settings.rules, **shares(settings))
        report = plan_of(span, found, estimate)
        if not as_json:
            say(plan_text(span, found, estimate, zone=settings.time_zone))
        wanted = [*found.missing, *found.unfinished]
        if dry_run or not wanted:
            return _end(report, as_json)
        if len(wanted) > _ASKED_ABOVE and is_at_terminal():
            confirm(f"Import {calls(len(wanted))} into Kustomer?", yes=yes)
        for _ in run.begin(found):
            pass
        if no_wait:
            report["queued"] = len(wanted)
            if not as_json:
                say(f"Queued {calls(len(wanted))}. callbridge calls ls shows their progress.")
            return _end(report, as_json)
        try:
            with working(settings, ledger) as keep_working, screen(len(wanted)) as show:

                def tell(progress: Progress) -> None:
                    keep_working()
                    show(progress)

                progress = run.wait(wanted, tell)
        except KeyboardInterrupt:
            say("\nStopped waiting. Queued calls stay queued; run the same command to continue.", err=True)
            raise
    if not as_json:
        say(result_text(progress))
    result = result_of(progress)
    before = {name: [*report[name], *result[name]] for name in ("parked", "dropped")}
    return _end(report | result | before, as_json)


def _end(report: dict[str, Any], as_json: bool) -> int:
    if as_json:
        say(json.dumps(report, indent=2))
    return _NEEDS_A_PERSON if any(report.get(name) for name in _OPEN) else _DONE


def plan_of(span: Span, found: Comparison, estimate: Estimate) -> dict[str, Any]:
    """What is known before it begins, for programs."""
    return {
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        "calls": found.calls,
        "on_record": len(found.known) + len(found.new_uuids),
        "missing": len(found.missing),
        "unfinished": len(found.unfinished),
        "kept_out": len(found.kept_out),
        "too_early": len(found.early),
        "parked": _reasons(found.parked),
        "dropped": _reasons(found.dropped),
        "requests": {"cloudtalk": estimate.cloudtalk, "kustomer": estimate.kustomer},
        "seconds": round(estimate.seconds),
    }


def plan_text(span: Span, found: Comparison, estimate: Estimate, *, zone: str) -> str:
    """The same for people."""
    times = f"from {shown_time(span.since, zone)} to {shown_time(span.until, zone)}"
    if not found.calls:
        return f"CloudTalk lists no calls {times}."
    lines = [
        f"CloudTalk lists {calls(found.calls)} {times}:",
        f"  {len(found.known) + len(found.new_uuids):>7,}  on record here{_of_them(found)}",
        f"  {len(found.missing):>7,}  without a webhook",
    ]
    if found.kept_out:
        lines.append(f"  {len(found.kept_out):>7,}  excluded by the rules (internal, number withheld, short)")
    if found.early:
        lines.append(f"  {len(found.early):>7,}  too recent: their webhooks may still come")
    lines += _named("Failed earlier and need a person (callbridge parked ls)", found.parked)
    lines += _named("Dropped by a person, left alone", found.dropped)
    if not found.missing and not found.unfinished:
        return "\n".join([*lines, "Nothing else to do." if found.parked else "Nothing to do."])
    lines.append(
        f"To import: {calls(len(found.missing) + len(found.unfinished))}. This takes at most "
        f"{counted(estimate.cloudtalk, 'request')} to CloudTalk and {estimate.kustomer:,} to Kustomer if "
        f"none fails, and {duration(estimate.seconds)} if the queue is otherwise empty."
    )
    return "\n".join(lines)


def _of_them(found: Comparison) -> str:
    """How those on record stand that are not in Kustomer, as far as that is known."""
    parts = (
        (found.unfinished, "not in Kustomer yet"),
        (found.parked, "failed"),
        (found.dropped, "dropped"),
    )
    report = [f"{len(those):,} {words}" for those, words in parts if those]
    return f" ({', '.join(report)})" if report else ""


def _named(words: str, those: Sequence[CallStatus]) -> list[str]:
    """The calls, and why; not all where they are many."""
    if not those:
        return []
    lines = [f"{words}: {calls(len(those))}"]
    lines += [f"  {one.call_id}  {one.reason}" for one in those[:_MOST_NAMED]]
    if len(those) > _MOST_NAMED:
        lines.append(f"  and {len(those) - _MOST_NAMED:,} more (--json names all)")
    return lines


def _reasons(those: Iterable[CallStatus]) -> list[dict[str, Any]]:
    return [{"call_id": one.call_id, "reason": one.reason} for one in those]


def calls(number: int) -> str:
    return counted(number, "call")


def duration(seconds: float) -> str:
    """A length of time as people say it, never too short."""
    minutes = -(-seconds // 60)
    if minutes <= 1:
        return "about a minute"
    if minutes < 120:
        return f"about {minutes:.0f} minutes"
    span = timedelta(minutes=minutes)
    return f"about {-(-span // timedelta(hours=1))} hours"


# How calls may have ended without being written.
_TOLD = {
    CallState.SKIPPED: "Not written, on purpose",
    CallState.DROPPED: "Dropped by a person meanwhile",
    CallState.FORGOTTEN: "Forgotten on request meanwhile",
    CallState.UNKNOWN: "Gone from Redis meanwhile; run the command again",
    CallState.WAITING: "Waiting, with no job scheduled to write them (callbridge calls show CALL)",
    CallState.PARKED: "Failed, need a person (callbridge calls show CALL)",
}


def result_of(progress: Progress) -> dict[str, Any]:
    """How it ended, for programs."""
    counted = progress.counted()
    return {
        "written": counted[CallState.WRITTEN],
        "recordings_to_come": sum(one.recording_due for one in progress.those(CallState.WRITTEN)),
        **{stands.name.lower(): _reasons(progress.those(stands)) for stands in _TOLD},
    }


def result_text(progress: Progress) -> str:
    """The same for people."""
    lines = [f"In Kustomer: {calls(progress.counted()[CallState.WRITTEN])}."]
    coming = sum(one.recording_due for one in progress.those(CallState.WRITTEN))
    if coming:
        lines.append(f"Recordings still pending: {coming:,}.")
    for stands, words in _TOLD.items():
        lines += _named(words, list(progress.those(stands)))
    return "\n".join(lines)


@contextlib.contextmanager
def working(settings: Settings, ledger: Ledger) -> Iterator[Callable[[], None]]:
    """Sees to it that somebody runs the jobs: a worker that listens, else this process."""
    from workers.main import WorkerProcess

    own: list[WorkerProcess] = []
    silent = 0

    def keep_working() -> None:
        nonlocal silent
        if own:
            return
        silent = 0 if workers_listen(ledger) else silent + 1
        if silent >= _LOOKS_WITHOUT_WORKER:
            say(f"No worker is running: the jobs run here (recordings go to {_storage(settings)}).", err=True)
            own.append(WorkerProcess(settings))
            own[0].start()

    try:
        yield keep_working
    finally:
        for process in own:
            process.stop()


def _storage(settings: Settings) -> str:
    # The rest of the address may hold what is nobody's business.
    scheme = settings.recordings_url.partition(":")[0]
    return f"{settings.data_dir.absolute()}" if settings.recordings_url == "file:" else f"{scheme}: storage"


@contextlib.contextmanager
def screen(total: int) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on a terminal, a line now and then elsewhere; on standard error."""
    if not sys.stderr.isatty():
        yield _plain_lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    parts = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Bar("Into Kustomer", *parts, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)

        def show(progress: Progress) -> None:
            parked = progress.counted()[CallState.PARKED]
            bar.update(task, completed=len(progress.ended), description=f"{parked} parked" if parked else "")

        yield show


def _plain_lines() -> Callable[[Progress], None]:
    next_at = time.monotonic() + _PLAIN_LINE_EVERY_S

    def show(progress: Progress) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + _PLAIN_LINE_EVERY_S
            say(f"{len(progress.ended):,} of {calls(progress.total)} done", err=True)

    return show
