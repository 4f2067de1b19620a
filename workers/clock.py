"""What happens by the hour and not by a webhook: the ledger's housekeeping, and the search for calls that
no webhook reported. Each is done by one process at a time."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from bridge.accounts.source import AccountsSource, wrong_in_files
from bridge.deps import Deps
from bridge.domain.rules.model import Rules
from bridge.errors import BridgeError, KeyMissing, WrongUse
from bridge.ledger import audits
from bridge.ledger.faults import RedisError, why
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.replay_runs import step_all
from bridge.logs import get_logger
from bridge.notify.watchman import Watchman
from bridge.reconcile.audit_runs import Stopped, do_next
from bridge.reconcile.periodic import Rounds
from bridge.rules_source import RulesSource
from bridge.secrets_source import SecretsSource
from bridge.settings import Settings
from bridge.wiring import folders, open_deps, open_ledger, open_recordings, open_synthetic
from workers.clock_beat import BEAT_S, Clock
from workers.many_clock import ManyClock
from workers.stopping import stop_event

log = get_logger(__name__)

# Of its steps, not of its calls.
_SYNTHETIC_EVERY_S = 1.0
_REPLAY_EVERY_S = _AUDIT_EVERY_S = 2.0
_INDEX_EVERY_S, _PACK_EVERY_S = 2.0, 10.0
# A round that is cut off is gone on with by the next.
_ENDS_WITHIN_S = 10.0


def open_services(
    settings: Settings, ledger: Ledger, rules: Callable[[], Rules], secrets: SecretsSource | None = None
) -> Deps | None:
    """The services; None where their keys are not set."""
    try:
        return open_deps(settings, ledger, rules=rules, secrets=secrets)
    except WrongUse:
        if settings.callbridge_accounts is None:
            log.warning("keys are not set here, so calls without a webhook are not found")
        return None


def open_rounds(settings: Settings, deps: Deps | None) -> Rounds | None:
    """The search for calls without a webhook; None where it is off, or CloudTalk cannot be asked."""
    if deps is None or not settings.reconcile_every_s:
        return None
    return Rounds(deps, every=timedelta(seconds=settings.reconcile_every_s))


def run(settings: Settings) -> int:
    """Beat until SIGTERM or SIGINT; the exit code."""
    days, rules, secrets = settings.recording_retention_days, RulesSource(settings), SecretsSource(settings)
    clock = Clock(
        open_ledger(settings),
        storage=partial(open_recordings, settings),
        keep_recordings=timedelta(days=days) if days else None,
        rules=rules,
    )
    accounts, many = AccountsSource(settings), ManyClock(clock.ledger)
    deps = open_services(settings, clock.ledger, rules, secrets)
    rounds = open_rounds(settings, deps)
    stopping = stop_event(within_s=_ENDS_WITHIN_S)
    at_work = threading.Event()
    heartbeat = clock.ledger.heartbeat(
        "clock",
        busy=lambda: int(at_work.is_set()),
        folders=folders(settings),
        rules=rules.state,
        files=lambda: wrong_in_files(secrets, accounts),
    )
    heartbeat.start()
    watchman = Watchman(settings)
    watchman.start()
    if accounts.is_on:
        many.serve(accounts.now())
        accounts.on_change(lambda change: many.serve(change.after))
        many.start()
    log.info("clock started", pid=os.getpid())
    # Apart from each other: however much is held, calls without a webhook are looked for.

    beside = partial(_beside, stopping)
    threads = [
        beside(clock.beat, BEAT_S, at_work),
        beside(clock.keep_index, _INDEX_EVERY_S, threading.Event()),
        beside(clock.pack, _PACK_EVERY_S, threading.Event()),
        beside(lambda: step_all(clock.ledger), _REPLAY_EVERY_S, threading.Event()),
        beside(partial(_audit, clock, deps, stopping), _AUDIT_EVERY_S, threading.Event()),
    ]
    if deps is not None:
        every_s = _SYNTHETIC_EVERY_S if settings.synthetic_call_every_s else BEAT_S
        threads.append(beside(open_synthetic(settings, deps, secrets).step, every_s, threading.Event()))
    if rounds is None:
        stopping.wait()
    else:
        going = rounds
        _repeat(
            lambda: going.go(clock.now(), stopping=stopping.is_set),
            min(BEAT_S, settings.reconcile_every_s),
            stopping,
            at_work,
        )
    for thread in threads:
        thread.join()
    many.stop()
    watchman.stop()
    heartbeat.stop()
    return 0


def _beside(
    stopping: threading.Event, what: Callable[[], object], every_s: float, at_work: threading.Event
) -> threading.Thread:
    """Repeat it in a thread of its own until the process stops."""

    def work() -> None:
        try:
            _repeat(what, every_s, stopping, at_work)
        finally:
            # By a fault of ours: the whole process ends, and is started again.
            stopping.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _audit(clock: Clock, deps: Deps | None, stopping: threading.Event) -> None:
    """Do the audits that somebody asked for."""

    def pause(seconds: float) -> None:
        if stopping.wait(seconds):
            raise Stopped

    with contextlib.suppress(Stopped):
        if deps is not None:
            while do_next(deps.current(), clock.now(), pause):
                pass
        elif (run := audits.take(clock.ledger)) is not None:
            audits.fail(clock.ledger, run.id, "The clock has no keys of the services: set them for it.")


def _repeat(
    what: Callable[[], object], every_s: float, stopping: threading.Event, at_work: threading.Event
) -> None:
    while True:
        at_work.set()
        try:
            what()
        except RedisError as error:
            log.warning("housekeeping failed, will be retried", why=why(error))
        except KeyMissing as error:
            log.warning("housekeeping failed, will be retried", why=str(error))
        except BridgeError as error:
            log.warning("housekeeping failed, will be retried", error=type(error).__name__)
        at_work.clear()
        if stopping.wait(every_s):
            return
