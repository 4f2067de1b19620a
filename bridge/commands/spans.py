"""`--since` and `--until`: a point in time, or a span counted back from now."""

from __future__ import annotations

from datetime import datetime

from bridge.domain.moments import read_moment, shown_time
from bridge.errors import WrongUse
from bridge.reconcile.compare import Span


def read_span(since: str, until: str | None, *, now: datetime, zone: str) -> Span:
    """Raises WrongUse: one of the two cannot be read, or the span has no length."""
    span = Span(
        since=read_moment("--since", since, now=now, zone=zone),
        until=now if until is None else read_moment("--until", until, now=now, zone=zone),
    )
    _check_order(span.since, span.until, zone)
    return span


def read_ends(
    since: str | None, until: str | None, *, now: datetime, zone: str
) -> tuple[datetime | None, datetime | None]:
    """The same where either end may be left open. Raises WrongUse, as `read_span`."""
    first = None if since is None else read_moment("--since", since, now=now, zone=zone)
    last = None if until is None else read_moment("--until", until, now=now, zone=zone)
    if first is not None and last is not None:
        _check_order(first, last, zone)
    return first, last


def _check_order(since: datetime, until: datetime, zone: str) -> None:
    if since >= until:
        first, last = (shown_time(at, zone) for at in (since, until))
        raise WrongUse(f"--since ({first}) must be before --until ({last})")
