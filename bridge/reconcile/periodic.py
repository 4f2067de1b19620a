"""The clock's rounds: every so often, CloudTalk's calls of the last day are compared with the ledger.

How far a round has come is kept in Redis after each page, so that any process goes on with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.clients.cloudtalk import LARGEST_PAGE
from bridge.deps import Deps
from bridge.errors import Permanent, Transient
from bridge.ledger.calls.comparison import RoundStore, keep_calls_missing, keep_unannounced
from bridge.logs import get_logger
from bridge.reconcile.compare import Span, ask_page, compare, learn, resume_stalled

log = get_logger(__name__)

_BACK = timedelta(hours=24)
# Calls shift through the pages meanwhile, but a round that hangs for hours says nothing of now.
_TOO_OLD = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """How far one look over a span has come. Times in seconds since 1970."""

    began_at: float
    since: float
    until: float
    page: int = 1
    missing: tuple[int, ...] = ()
    ended: bool = False

    @property
    def span(self) -> Span:
        return Span(since=_moment(self.since), until=_moment(self.until))


class Rounds:
    """Several processes may have one: a lock lets one act, for one page at a time."""

    def __init__(self, deps: Deps, *, every: timedelta, limit: int = LARGEST_PAGE) -> None:
        self._deps, self._every, self._limit = deps, every, limit
        self._store = RoundStore(deps.ledger)

    def go(self, now: datetime, *, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Go on with the round that is due, as far as the budget reaches; whether it ended.

        Never raises for the services' sake: what could not be asked is asked at a later beat.
        """
        while not stopping():
            try:
                ended = self._page(now)
            except Transient as error:
                log.info("comparison of calls postponed", error=type(error).__name__)
                return False
            except Permanent as error:
                log.warning("comparison of calls failed", error=type(error).__name__)
                return False
            if ended is not None:
                return ended
        return False

    def _page(self, now: datetime) -> bool | None:
        """One page. None: there are more; False: nothing is due, or another process is at it."""
        with self._store.lock() as ours:
            at = self._due(now) if ours else None
            if at is None:
                return False
            after = self._look(at, now)
            self._store.keep(asdict(after))
            return True if after.ended else None

    def _due(self, now: datetime) -> Round | None:
        """The round to go on with, or a new one; None when it is too early for that."""
        last = _read(self._store.last())
        seconds = now.timestamp()
        if last is not None:
            age = seconds - last.began_at
            # A round that began in the future was timed by a clock that has been put right since.
            if not last.ended and 0 <= age < _TOO_OLD.total_seconds():
                return last
            if last.ended and 0 <= age < self._every.total_seconds():
                return None
        return Round(began_at=seconds, since=(now - _BACK).timestamp(), until=seconds)

    def _look(self, at: Round, now: datetime) -> Round:
        deps = self._deps.current()
        page = ask_page(deps, at.span, at.page, limit=self._limit)
        found = compare(deps.ledger, deps.rules, page.calls, at.span, now)
        learnt = list(learn(deps.ledger, found.missing.values()))
        missing = tuple(sorted({*at.missing, *learnt, *found.waiting}))
        if learnt:
            log.warning("calls found without a webhook", count=len(learnt))
            ends = [end for one in found.missing.values() if (end := one.ended_at or one.started_at)]
            keep_unannounced(deps.ledger, min(now, max(ends, default=now)).timestamp())
        resume_stalled(deps.ledger, found)
        if silent := list(learn(deps.ledger, found.silent.values())):
            log.warning("recordings found without a webhook", count=len(silent))
        is_last = at.page >= page.pages
        if is_last:
            keep_calls_missing(deps.ledger, len(missing))
            deps.ledger.keep_facts(last_reconcile_at=now.timestamp())
        return Round(
            began_at=at.began_at,
            since=at.since,
            until=at.until,
            page=at.page + 1,
            missing=missing,
            ended=is_last,
        )


def _read(state: Mapping[str, Any] | None) -> Round | None:
    if state is None:
        return None
    try:
        return Round(**state)
    except TypeError:
        # Of another version: begin anew.
        return None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
