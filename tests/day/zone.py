"""The shop's time zone: Berlin's, but for the date of its clock change, which is last weekend.

A bridge forgets after a month which calls of a number were missed, so the day has to be a recent one, and
clocks go back on one night of the year only.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

ZONE = "Test/Shop"


def _saturday() -> date:
    """Of the last weekend whose Monday is over."""
    today = datetime.now(UTC).date()
    return today - timedelta(days=(today.weekday() - 5) % 7 + (7 if today.weekday() in (5, 6, 0) else 0))


SATURDAY = _saturday()
SUNDAY, MONDAY = SATURDAY + timedelta(days=1), SATURDAY + timedelta(days=2)


def _written() -> Path:
    """A folder with the zone, in the form of RFC 8536: summer time until Sunday, 01:00 UTC."""
    spring = datetime(SUNDAY.year - 1, 1, 1, tzinfo=UTC)
    autumn = datetime(SUNDAY.year, SUNDAY.month, SUNDAY.day, 1, tzinfo=UTC)
    names = b"CET\0CEST\0"
    empty = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 1) + struct.pack(">lbB", 0, 0, 0) + b"\0"
    head = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 2, 2, len(names))
    times = struct.pack(">2q2B", int(spring.timestamp()), int(autumn.timestamp()), 1, 0)
    kinds = struct.pack(">lbBlbB", 3600, 0, 0, 7200, 1, 4)
    folder = Path(tempfile.mkdtemp(prefix="callbridge-test-zone-"))
    (folder / ZONE).parent.mkdir()
    (folder / ZONE).write_bytes(empty + head + times + kinds + names + b"\nCET-1\n")
    return folder


# Where processes find the zone: a setting of Python.
TZPATH = os.pathsep.join([str(_written()), *zoneinfo.TZPATH])
zoneinfo.reset_tzpath(TZPATH.split(os.pathsep))
