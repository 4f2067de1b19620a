"""Points in time as people read and write them: in one zone, with the zone's name."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bridge.errors import WrongUse

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(\d{1,6})\s*([mhdw])", re.IGNORECASE)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def zone_name(local: datetime) -> str:
    """`CET`, or `UTC+05:30` for a zone without a short name of its own.

    Args:
        local: an aware time, in the zone to name.
    """
    # tzname() alone would be a bare offset for many zones.
    name, offset = local.tzname() or "", f"{local:%z}"
    return name if name.isalpha() else f"UTC{offset[:3]}:{offset[3:5]}"


def shown_time(at: datetime | str | None, zone: str, *, to: str = "minutes") -> str:
    """`2026-11-22 01:25 CET`: a time as tables and messages show it; empty for None.

    Args:
        at: an aware time, or one in ISO 8601 with its offset.
        zone: what TIME_ZONE names.
        to: `minutes`, `seconds` or `milliseconds`.
    """
    if not at:
        return ""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    local = moment.astimezone(ZoneInfo(zone))
    text = local.replace(tzinfo=None).isoformat(sep=" ", timespec=to)
    return f"{text} {zone_name(local)}"


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
            f"{name} {text!r} is neither a time nor a duration; use 2026-11-20T08:00, 2026-11-20, or 24h "
            "for the last day (m, h, d, w)"
        ) from error
    if at < _EARLIEST:
        raise WrongUse(f"{name} {text!r} is before 2000; CloudTalk has no calls that old")
    return at
