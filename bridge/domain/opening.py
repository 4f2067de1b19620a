"""Times within opening hours: when a call is to be returned, when a snoozed conversation wakes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bridge.domain.hours import Hours

# Hours that never come within so many days (all of them holidays) count as none.
_DAYS_AHEAD = 400


def open_moment(at: datetime, hours: Hours | None, *, zone: str, holidays: Collection[date] = ()) -> datetime:
    """This moment where it lies in opening hours, else the next opening."""
    return open_minutes_later(at, 0, hours, zone=zone, holidays=holidays)


def open_minutes_later(
    at: datetime, minutes: int, hours: Hours | None, *, zone: str, holidays: Collection[date] = ()
) -> datetime:
    """The moment when so many minutes of opening hours have passed since `at`.

    Args:
        hours: None: every minute counts.
        holidays: days on which no opening hours begin.
    """
    left = timedelta(minutes=minutes)
    if hours is None:
        return at + left
    for start, end in _openings(at, hours, ZoneInfo(zone), holidays):
        start = max(start, at)
        if start < end and left <= end - start:
            return start + left
        left -= max(end - start, timedelta())
    return at + timedelta(minutes=minutes)


def _openings(
    at: datetime, hours: Hours, zone: ZoneInfo, holidays: Collection[date]
) -> Iterator[tuple[datetime, datetime]]:
    """Opening hours from the day before `at`, by their beginning, in UTC; overlapping ones as one."""
    first = at.astimezone(zone).date() - timedelta(days=1)
    last: tuple[datetime, datetime] | None = None
    for day in (first + timedelta(days=n) for n in range(_DAYS_AHEAD)):
        if day in holidays:
            continue
        spans = sorted((s for s in hours.spans if day.weekday() in s.days), key=lambda s: s.start)
        for span in spans:
            start = _moment(day, span.start, zone)
            end = _moment(day, span.end + (1440 if span.end <= span.start else 0), zone)
            if last is not None and start <= last[1]:
                last = (last[0], max(last[1], end))
            else:
                if last is not None:
                    yield last
                last = (start, end)
    if last is not None:
        yield last


def _moment(day: date, minute: int, zone: ZoneInfo) -> datetime:
    days, rest = divmod(minute, 1440)
    local = datetime.combine(day + timedelta(days=days), time(rest // 60, rest % 60), zone)
    return local.astimezone(UTC)
