"""`--since` and `--until`: a point in time, or a span counted back from now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bridge.errors import WrongUse
from bridge.jobs.reconcile import Span

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(\d{1,6})\s*([mhdw])", re.IGNORECASE)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def read_moment(name: str, text: str, *, now: datetime, zone: str) -> datetime:
    """A time in ISO 8601 (without a zone: in TIME_ZONE), or `90m`, `24h`, `7d` ago.

    Raises:
        WrongUse: says what would do.
    """
    text = text.strip()
    try:
        if found := _SPAN.fullmatch(text):
            at = now - timedelta(**{_UNITS[found[2].lower()]: int(found[1])})
        else:
            at = datetime.fromisoformat(text)
            at = at.replace(tzinfo=ZoneInfo(zone)) if at.tzinfo is None else at
        at = at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise WrongUse(
            f"{name} {text!r} is neither a time nor a span: "
            "say 2026-11-20T08:00, 2026-11-20, or 24h for the last day (m, h, d, w)"
        ) from error
    if at < _EARLIEST:
        raise WrongUse(f"{name} {text!r} is before the year 2000: CloudTalk has no calls of then")
    return at


def read_span(since: str, until: str | None, *, now: datetime, zone: str) -> Span:
    """Raises WrongUse: one of the two cannot be read, or the span has no length."""
    span = Span(
        since=read_moment("--since", since, now=now, zone=zone),
        until=now if until is None else read_moment("--until", until, now=now, zone=zone),
    )
    _check_order(span.since, span.until)
    return span


def read_ends(
    since: str | None, until: str | None, *, now: datetime, zone: str
) -> tuple[datetime | None, datetime | None]:
    """The same where either end may be left open. Raises WrongUse, as `read_span`."""
    first = None if since is None else read_moment("--since", since, now=now, zone=zone)
    last = None if until is None else read_moment("--until", until, now=now, zone=zone)
    if first is not None and last is not None:
        _check_order(first, last)
    return first, last


def _check_order(since: datetime, until: datetime) -> None:
    if since >= until:
        first, last = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (since, until))
        raise WrongUse(f"--since ({first}) must be before --until ({last})")
