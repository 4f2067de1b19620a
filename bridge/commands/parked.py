"""`callbridge parked`: jobs that were given up. List them, run them again a few at a time, or drop them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from bridge.commands import DONE, NEEDS_A_PERSON
from bridge.commands.confirming import confirm, is_at_terminal
from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.domain.moments import shown_time
from bridge.errors import Rejected
from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import parked as desk
from bridge.ledger.queue.kinds import KINDS
from bridge.ledger.queue.parked import Parked
from bridge.plain import plain_line
from bridge.settings import Settings
from bridge.wording import counted

F = TypeVar("F", bound=Callable[..., Any])
_LOOK_EVERY_S = 0.2


@click.group()
def parked() -> None:
    """Jobs that failed for good: list them, run them again, drop them."""


def filtered(command: F) -> F:
    """The filters that all of them take."""
    for option in (
        click.option("--json", "as_json", is_flag=True),
        click.option("--call", help="Key, call id or uuid of a call."),
        click.option("--cause", help="Cause, such as Rejected, Unauthorized or crashed."),
        click.option("--kind", help=f"One of {', '.join(KINDS)}."),
    ):
        command = option(command)
    return command


def _wanted(**filters: str | None) -> dict[str, str]:
    return {name: value for name, value in filters.items() if value}


@parked.command()
@filtered
def ls(*, kind: str | None, cause: str | None, call: str | None, as_json: bool) -> int:
    """List parked jobs, longest waiting first."""
    with opened_ledger() as (ledger, settings):
        jobs = desk.choose(ledger, _wanted(kind=kind, cause=cause, call=call))
    if as_json:
        say(json.dumps({"parked": [job.line() for job in jobs]}, indent=2))
    else:
        say("\n".join(_lines(jobs, settings)) if jobs else "Nothing is parked.")
    return DONE


@parked.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True)
def show(*, name: str, as_json: bool) -> int:
    """Show why a job failed (its NAME as listed by `ls`, such as sync|uuid:…)."""
    with opened_ledger() as (ledger, _):
        found = [job for job in desk.choose(ledger, {}) if job.name == name]
    if not found:
        raise Rejected(f"No parked job is named {name!r}; callbridge parked ls lists the names.")
    line = found[0].line()
    say(
        json.dumps(line, indent=2)
        if as_json
        else "\n".join(f"{k:6} {plain_line(str(v))}" for k, v in line.items())
    )
    return DONE


@parked.command()
@filtered
@click.option("--dry-run", is_flag=True, help="Show what would be run; run nothing.")
@click.option("--all-at-once", is_flag=True, help="Run all at once, not a few, then a tenth, then the rest.")
@click.option("--no-wait", is_flag=True, help="Queue all of them and do not wait for the result.")
@click.option(
    "--wait-s",
    type=click.FloatRange(min=0),
    default=300,
    show_default=True,
    help="Seconds to wait for each phase.",
)
def replay(
    *,
    kind: str | None,
    cause: str | None,
    call: str | None,
    as_json: bool,
    dry_run: bool,
    all_at_once: bool,
    no_wait: bool,
    wait_s: float,
) -> int:
    """Run parked jobs again: a few, then a tenth, then all; stops (exit code 3) if they fail again.

    Jobs dropped meanwhile are not run.
    """
    report = _Told(as_json)
    with opened_ledger() as (ledger, settings):
        jobs = desk.choose(ledger, _wanted(kind=kind, cause=cause, call=call))
        report.say(f"To run again: {len(jobs)}", *_lines(jobs, settings))
        report.answer.update(
            chosen=[job.name for job in jobs], replayed=0, gone=0, done=0, failed=[], open=[]
        )
        code = (
            DONE
            if dry_run or not jobs
            else _replay(ledger, jobs, report, all_at_once or no_wait, no_wait, wait_s)
        )
    report.end()
    return code


class _Told:
    """What is said on the way, or once as JSON at the end."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self.answer: dict[str, Any] = {}

    def say(self, *lines: str) -> None:
        if not self._as_json:
            say("\n".join(lines))

    def end(self) -> None:
        if self._as_json:
            say(json.dumps(self.answer, indent=2))


def _replay(
    ledger: Ledger, jobs: Sequence[Parked], report: _Told, at_once: bool, no_wait: bool, wait_s: float
) -> int:
    listening = desk.workers_listen(ledger)
    if not listening:
        report.say("No worker is running; the jobs run when one starts (callbridge worker). Not waiting.")
        if not at_once:
            # Without a look at how the first ones end there is no reason to queue the others.
            jobs = jobs[: desk.FEW]
    answer = report.answer
    for phase in [jobs] if at_once or not listening else desk.phases(jobs):
        again = desk.run_again(ledger, phase, who=trail.person())
        answer["replayed"] += len(again.queued)
        answer["gone"] += len(again.gone)
        if again.gone:
            report.say(f"No longer parked, left alone: {len(again.gone)}")
        if no_wait or not listening:
            report.say(f"Queued: {len(again.queued)}")
            return DONE if no_wait else NEEDS_A_PERSON
        outcome = desk.watch(ledger, again.queued, pause=_pause, within_s=wait_s)
        answer["done"] += len(outcome.done)
        answer["failed"] += [job.name for job in outcome.failed]
        answer["open"] = [job.name for job in outcome.open]
        report.say(f"Of {len(again.queued)}: {len(outcome.done)} done, {len(outcome.failed)} failed again")
        if outcome.failed or outcome.open:
            report.say(*(f"  {job.name}" for job in (*outcome.failed, *outcome.open)))
            report.say("Stopped. See why with callbridge parked ls, or callbridge calls show CALL.")
            return NEEDS_A_PERSON
    return DONE


def _pause() -> None:
    threading.Event().wait(_LOOK_EVERY_S)


@parked.command()
@filtered
@click.option("--reason", required=True, help="Why they are not needed; recorded in the call's log.")
@click.option("--dry-run", is_flag=True, help="Show what would be dropped; drop nothing.")
@click.option("--all", "everything", is_flag=True, help="All parked jobs, or all that match the filters.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def drop(
    *,
    kind: str | None,
    cause: str | None,
    call: str | None,
    as_json: bool,
    reason: str,
    dry_run: bool,
    everything: bool,
    yes: bool,
) -> int:
    """Permanently drop parked jobs: those that match a filter, or --all.

    Asks for confirmation before dropping more than one; without a terminal, --all needs --yes.
    """
    if not reason.strip():
        raise click.BadParameter("say why they are not needed", param_hint="--reason")
    if not (kind or cause or call or everything or dry_run):
        raise click.UsageError(
            "Which ones? Filter with --call, --cause or --kind, or use --all; --dry-run shows them first."
        )
    report = _Told(as_json)
    with opened_ledger() as (ledger, settings):
        jobs = desk.choose(ledger, _wanted(kind=kind, cause=cause, call=call))
        report.say(f"To drop: {len(jobs)}", *_lines(jobs, settings))
        if len(jobs) > 1 and not dry_run and (everything or is_at_terminal()):
            confirm(f"Permanently drop these {counted(len(jobs), 'job')}?", yes=yes)
        done = [] if dry_run else desk.drop(ledger, jobs, who=trail.person(), reason=reason.strip())
    report.answer.update(chosen=[job.name for job in jobs], dropped=len(done))
    if not dry_run:
        report.say(f"Dropped: {len(done)}")
    report.end()
    return DONE


def _lines(jobs: Sequence[Parked], settings: Settings) -> list[str]:
    return [
        f"  {job.name}  {shown_time(job.since, settings.time_zone)}  "
        + plain_line(f"{job.cause or ''}: {job.error or ''}")
        for job in jobs
    ]
