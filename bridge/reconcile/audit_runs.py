"""The audits that pages and `/api` ask for, done one at a time by the clock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bridge.deps import Deps
from bridge.errors import BridgeError
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.ledger import audits
from bridge.ledger.audits import KINDS
from bridge.ledger.ledger import Ledger
from bridge.reconcile.audit import Audit, Findings
from bridge.reconcile.compare import Span
from bridge.reconcile.repair import repair_findings

_TELLS_EVERY_S = 1.0


class Stopped(Exception):
    """This process ends."""


@dataclass(slots=True)
class _Progress:
    """Counts requests, and tells now and then what is done."""

    ledger: Ledger
    id: str
    requests: int = 0
    says: str = "reading CloudTalk's call list"
    _told_at: float = field(default_factory=time.monotonic)

    def step(self, says: str) -> None:
        self.says = says
        self._tell()

    def answered(self) -> None:
        self.requests += 1
        self._tell()

    def waits(self, why: str) -> None:
        audits.tell(self.ledger, self.id, f"{self.says}; {why}", requests=self.requests)

    def _tell(self) -> None:
        if time.monotonic() - self._told_at >= _TELLS_EVERY_S:
            self._told_at = time.monotonic()
            audits.tell(self.ledger, self.id, self.says, requests=self.requests)


def do_next(deps: Deps, now: datetime, pause: Callable[[float], None]) -> bool:
    """Do the audit that waits longest; whether there was one.

    Args:
        pause: waits for so many seconds; raises `Stopped` where this process ends.
    Raises:
        Stopped: from `pause`; the audit is begun anew by another process.
    """
    run = audits.take(deps.ledger)
    if run is None:
        return False
    progress = _Progress(deps.ledger, run.id)
    span = Span(since=run.since, until=run.until)

    def answered() -> None:
        progress.answered()
        pause(0)

    waiter = BudgetWaiter(pause=pause, say=progress.waits, answered=answered)
    try:
        audit = Audit(deps, span, waiter, says=progress.step)
        findings = audit.look(now)
        repaired = repair_findings(deps.ledger, audit, findings, who=run.who) if run.repair else []
    except Stopped:
        audits.put_back(deps.ledger, run.id)
        raise
    except BridgeError as error:
        audits.fail(deps.ledger, run.id, str(error))
        return True
    audits.end(
        deps.ledger,
        run.id,
        requests=progress.requests,
        calls=findings.calls,
        days=by_day(audit, findings, deps.rules.zone),
        differences={kind: getattr(findings, kind) for kind in KINDS},
        repaired=repaired,
    )
    return True


def by_day(audit: Audit, findings: Findings, zone: str) -> list[dict[str, Any]]:
    """For each day with anything in it: calls that Kustomer should have, and what does not match."""
    times = {number: one.call.started_at for number, one in audit.expected.items()}
    numbers: dict[str, Counter[str]] = {"calls": _days(times.values(), zone)}
    for kind in KINDS:
        found: Iterable[Mapping[str, Any]] = getattr(findings, kind)
        at = (item.get("started_at") or item.get("created_at") for item in found)
        numbers[kind] = _days((datetime.fromisoformat(one) if one else None for one in at), zone)
    days = sorted({day for counts in numbers.values() for day in counts}, reverse=True)
    return [{"day": day, **{kind: counts[day] for kind, counts in numbers.items()}} for day in days]


def _days(times: Iterable[datetime | None], zone: str) -> Counter[str]:
    local = (at.replace(tzinfo=at.tzinfo or UTC).astimezone(ZoneInfo(zone)) for at in times if at is not None)
    return Counter(at.date().isoformat() for at in local)
