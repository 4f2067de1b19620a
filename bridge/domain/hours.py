"""Times of the week that people set: `Mon-Fri 08:00-18:00, Sat 09:00-12:00`, or `22:00-07:00` daily."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(
    r"(?:(?P<first>[a-z]{3})(?:\s*-\s*(?P<last>[a-z]{3}))?\s+)?"
    r"(?P<start>\d{1,2}:\d{2})\s*-\s*(?P<end>\d{1,2}:\d{2})",
    re.IGNORECASE,
)
_HINT = "must look like Mon-Fri 08:00-18:00; several are separated by commas"


@dataclass(frozen=True, slots=True)
class Span:
    """Minutes of some days, the end not included. One that ends before it starts ends on the next day."""

    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Some spans of the week, in a time zone that is named when they are asked."""

    spans: tuple[Span, ...]
    text: str = field(default="", compare=False)

    def cover(self, at: datetime, zone: str) -> bool:
        """Whether this moment lies in one of them."""
        local = at.astimezone(ZoneInfo(zone))
        minute = local.hour * 60 + local.minute
        today, yesterday = local.weekday(), (local - timedelta(days=1)).weekday()
        for span in self.spans:
            if span.start < span.end:
                if today in span.days and span.start <= minute < span.end:
                    return True
            elif (today in span.days and minute >= span.start) or (
                yesterday in span.days and minute < span.end
            ):
                return True
        return False


def read_hours(text: str) -> Hours:
    """The hours that a person wrote.

    Raises:
        ValueError: with how to write them.
    """
    spans = []
    for part in text.split(","):
        found = _SPAN.fullmatch(part.strip())
        if found is None:
            raise ValueError(_HINT)
        start, end = _minute(found["start"]), _minute(found["end"])
        spans.append(Span(_days(found["first"], found["last"]), start % 1440, end))
    return Hours(tuple(spans), text)


def _minute(text: str) -> int:
    hour, minute = (int(part) for part in text.split(":"))
    if hour * 60 + minute > 1440 or minute > 59:
        raise ValueError(f"{_HINT}; there is no {text}")
    return hour * 60 + minute


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    try:
        start = _DAYS.index(first.lower())
        end = _DAYS.index((last or first).lower())
    except ValueError:
        raise ValueError(f"{_HINT}; days are Mon, Tue, Wed, Thu, Fri, Sat and Sun") from None
    return frozenset((start + n) % 7 for n in range((end - start) % 7 + 1))
