"""`callbridge rules try --apply`: put a rules file in force, and bring past calls up to date in phases."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bridge.commands import DONE, NEEDS_A_PERSON
from bridge.commands.confirming import confirm
from bridge.commands.printing import say
from bridge.domain.rules.model import Rules
from bridge.errors import Rejected, WrongUse
from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import replay_runs
from bridge.ledger.queue.parked import workers_listen
from bridge.ledger.queue.replay_runs import ReplayRun
from bridge.settings import Settings
from bridge.wording import counted

# Every process reads a changed file within 2 s.
_RELOADED_AFTER_S = 3.0
_LOOK_EVERY_S = 0.3


def check_applicable(file: Path, would: Rules, settings: Settings, *, against: bool) -> None:
    """Whether these rules are in force, or can be put in force by this command.

    Raises:
        WrongUse: they can not; says what to do.
    """
    path = settings.callbridge_rules
    if path is None:
        raise WrongUse(
            f"No rules file is in force. Set CALLBRIDGE_RULES={file} for every process and restart them "
            "once; then run this command with --against default."
        )
    if is_in_force(would, settings) and not against:
        raise WrongUse(
            f"{file} is in force already. Name the file that was before it: --against OLD.toml (or default)."
        )
    if not is_in_force(would, settings) and against:
        raise WrongUse(
            f"{file} is not in force. Copy it to {path} first, or leave out --against to have it copied."
        )


def is_in_force(would: Rules, settings: Settings) -> bool:
    return settings.callbridge_rules is not None and would.version == settings.rules.version


def put_in_force(file: Path, settings: Settings, *, calls: int, yes: bool) -> None:
    """Replace the file of CALLBRIDGE_RULES, after a question; what it held is kept beside it as `.before`.

    Raises:
        WrongUse: it cannot be written here.
    """
    path = settings.callbridge_rules
    assert path is not None  # noqa: S101  # check_applicable has looked
    confirm(f"Put {file} in force as {path}, and bring {counted(calls, 'call')} up to date?", yes=yes)
    path = path.resolve()
    try:
        _replace(path.with_name(f"{path.name}.before"), path.read_bytes())
        _replace(path, file.read_bytes())
    except OSError as error:
        raise WrongUse(
            f"{path} cannot be replaced ({error.strerror}). Put the file in force by your own means, then "
            "run this command with --against OLD.toml."
        ) from error
    say(f"In force: {path} (before: {path.name}.before). Waiting for all processes to read it.", err=True)
    threading.Event().wait(_RELOADED_AFTER_S)


def _replace(path: Path, content: bytes) -> None:
    """At once, so that nobody reads half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # As the file that others read now; a new one is only ours.
        new.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def bring_up_to_date(
    ledger: Ledger, calls: Sequence[str], *, about: str, wait_s: float, tell: Callable[[str], None]
) -> tuple[int, ReplayRun | None]:
    """Sync these calls in phases, and wait: the exit code, and how the run stands.

    Args:
        wait_s: how long to wait for each phase; the clock goes on with what is left.
    """
    try:
        run = replay_runs.start_syncs(ledger, calls, who=trail.person(), about=about)
    except Rejected as error:
        tell(str(error))
        return (NEEDS_A_PERSON if calls else DONE), None
    if not workers_listen(ledger):
        tell("No worker is running: the calls are synced when one starts (callbridge worker).")
        return NEEDS_A_PERSON, run
    phase, ends = run.phase, time.monotonic() + wait_s
    while run.state == "going" and time.monotonic() < ends:
        threading.Event().wait(_LOOK_EVERY_S)
        run = replay_runs.step(ledger, run.id)
        if run.phase != phase:
            tell(f"{run.done:,} of {counted(run.total, 'call')} up to date; next {run.open:,}")
            phase, ends = run.phase, time.monotonic() + wait_s
    if run.state == "stopped":
        tell(f"Stopped: {counted(run.failed, 'sync')} failed, {counted(run.left, 'call')} left alone.")
        for name in run.failed_names:
            tell(f"  {name}")
        tell(
            "See why with callbridge parked ls, or callbridge calls show CALL; "
            f"go on at /parked/runs/{run.id}."
        )
        return NEEDS_A_PERSON, run
    if run.state == "going":
        tell(f"Not all ended in {wait_s:.0f} s; the clock goes on with it (/parked/runs/{run.id}).")
        return NEEDS_A_PERSON, run
    tell(f"Up to date: {counted(run.done, 'call')}.")
    return DONE, run
