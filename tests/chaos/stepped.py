"""A wall clock that can be stepped from outside: `time.time` and `datetime.now` of a process follow a file.

The file holds an offset in seconds, as one little-endian double that may be rewritten at any time. Redis'
clock, which times all jobs, is another process's and stays right; monotonic clocks never step.
"""

from __future__ import annotations

import datetime as real
import mmap
import struct
import time
from pathlib import Path

_FORM = struct.Struct("<d")
_right = time.time
_Right = real.datetime
_offset: mmap.mmap | bytes = _FORM.pack(0.0)


def write_offset(path: Path, seconds: float) -> None:
    """Step the clock of whoever follows this file; 0 sets it right."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(_FORM.pack(seconds))


def follow(path: Path) -> None:
    """From now on, in this process."""
    global _offset
    with path.open("rb") as file:
        _offset = mmap.mmap(file.fileno(), _FORM.size, access=mmap.ACCESS_READ)


def patch_clock() -> None:
    """To be called before anything is imported that might keep `time.time` or `datetime` for itself."""

    def stepped_time() -> float:
        return _right() + float(_FORM.unpack_from(_offset)[0])

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, _Right)

    class SteppedDatetime(_Right, metaclass=Kind):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> _Right:  # type: ignore[override]
            return _Right.fromtimestamp(stepped_time(), tz)

    time.time = stepped_time
    real.datetime = SteppedDatetime  # type: ignore[misc]
