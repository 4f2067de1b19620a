"""The watch: every few seconds one process looks for problems and queues the notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from bridge.domain.hours import Hours, read_hours
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import commands_of
from bridge.ledger.watch import WatchStore
from bridge.logs import get_logger
from bridge.notify.texts import message_of
from bridge.notify.transitions import News, step
from bridge.reports.facts import gather_facts, told_of
from bridge.reports.problems import find_problems
from bridge.reports.traffic import next_sample
from bridge.settings import Settings

log = get_logger(__name__)

# Web and clock look in turn; whoever comes first within this time acts.
EVERY_S = 3.0
# A comparison with CloudTalk's list takes a while; what is still missing at the next one is notified.
_NEXT_COMPARISON_S = 100.0


class Watch:
    """One process's part in it.

    Args:
        queue: the numbers of the queue, as `queue_view` gives them.
    """

    def __init__(self, settings: Settings, ledger: Ledger, queue: Callable[[], Mapping[str, Any]]) -> None:
        self._settings, self._ledger, self._queue = settings, ledger, queue
        self._store = WatchStore(ledger)
        self._quiet = _hours(settings.notify_quiet_hours)
        self._opening = _hours(settings.opening_hours)
        self._after_s = {"calls-missing": settings.reconcile_every_s + _NEXT_COMPARISON_S}

    def beat(self) -> bool:
        """Look, if it is our turn; whether it was."""
        if not self._store.turn(for_s=EVERY_S * 0.9):
            return False
        return self._store.update(self._look)

    def _look(
        self, before: Mapping[str, Any], notified: Mapping[str, Mapping[str, Any]]
    ) -> tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]], Iterable[Mapping[str, Any]]]:
        now = self._ledger.now_ms() / 1000
        at = datetime.fromtimestamp(now, UTC)
        queue, running = self._queue(), self._ledger.processes()
        sample = next_sample(
            before,
            counts=self._ledger.counts(),
            closed_s={service: state["closed_for_s"] for service, state in queue["budgets"].items()},
            now=now,
            can_arrive=commands_of(running)["web"] > 0,
            is_open=None if self._opening is None else self._opening.cover(at, self._settings.time_zone),
        ) | {"silent_after_s": self._settings.no_webhook_after_min * 60 if self._opening else None}
        facts = gather_facts(self._ledger, queue, running, sample=sample, active=told_of(notified))
        state, news = step(
            notified,
            find_problems(facts),
            now=now,
            quiet=self._quiet is not None and self._quiet.cover(at, self._settings.time_zone),
            after_s=self._after_s,
        )
        for one in news:
            _log(one)
        return sample, state, [self._entry(one, now) for one in news] if self._settings.notify_urls else []

    def _entry(self, news: News, now: float) -> Mapping[str, Any]:
        message = message_of(news, public_url=self._settings.pages_url, zone=self._settings.time_zone)
        return {"at": now, "due": now, "tries": 0, "left": None, "message": message}


def _log(news: News) -> None:
    problem = news.problem
    if news.is_over:
        log.info("problem over", problem=problem.name, says=problem.well)
    else:
        log.warning("problem", problem=problem.name, says=problem.says, do=problem.do)


def _hours(text: str | None) -> Hours | None:
    return None if text is None else read_hours(text)
