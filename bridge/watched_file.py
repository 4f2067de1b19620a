"""A file that is read again once it has changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# What changed later than this may be half-written: it is read once it has stayed as it is for as long.
_SETTLED_S = 0.5
# Device, inode, size and times: a link that points elsewhere, a file put in its place and one rewritten in
# the same second all differ. None: nothing is there.
_Mark = tuple[int, ...] | None


class WatchedFile:
    """Not safe to use from several threads at once."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path, self._clock, self._now = path, clock, now
        # Of the content that was read last. The settings read it a moment ago, and may have missed a change.
        self._read: _Mark = (0,)
        self._pending: tuple[_Mark, float] | None = None

    def if_changed(self, read: Callable[[], T]) -> T | None:
        """What `read` gives, if the file is another than when this last did so; None where it is the same,
        or may be half-written."""
        mark, changed_at = self._stat()
        if mark == self._read:
            self._pending = None
            return None
        if self._pending is None or self._pending[0] != mark:
            self._pending = (mark, self._clock())
        age_s = self._now() - changed_at
        if age_s < _SETTLED_S and self._clock() - self._pending[1] < _SETTLED_S:
            return None
        found = read()
        if self._stat()[0] != mark:
            # Written meanwhile.
            return None
        self._read, self._pending = mark, None
        return found

    def _stat(self) -> tuple[_Mark, float]:
        """The mark of what is there, and when it was changed; `inf` where that is not known."""
        try:
            found = self.path.stat()
        except OSError:
            return None, float("inf")
        mark = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return mark, max(found.st_mtime, found.st_ctime)
