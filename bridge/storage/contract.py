"""What a storage can do, whichever it is; and how names of objects look."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, Protocol

from bridge.domain.call import Call
from bridge.errors import Conflict, Rejected, Unavailable

Kind = Literal["wav", "mp3", "txt"]
CONTENT_TYPES: dict[Kind, str] = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "txt": "text/plain; charset=utf-8",
}

# Bytes handed on at once.
PIECE = 256 * 1024
# How many objects one `delete_older_than` deletes at most.
MOST_DELETED = 1000

# Parts may not begin with a dot: those are ours, and `..` leads outside.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", re.ASCII)
_LONGEST_NAME = 200
_DATED = re.compile(r"(\d{4})/(\d{2})/(\d{2})/.", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was written, or read back by `measure`.

    `sha256` is in hex; empty where nobody has counted it (an object that `Exists` tells of).
    """

    name: str
    size: int
    sha256: str = ""


class Exists(Conflict):
    """There is an object of this name, and it stays as it is.

    Args:
        stored: the one that is there; its bytes were not read (`measure` does).
    """

    def __init__(self, stored: Stored) -> None:
        super().__init__(f"{stored.name} is stored already, with {stored.size} bytes; it was left as it is")
        self.stored = stored


class Missing(Rejected):
    """No object has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No {name} in the storage; it was never written, or is deleted", status=404)


class Storage(Protocol):
    """Objects under names. Safe to use from several threads, and from several processes at once.

    All raise Unavailable (not reachable, 5xx, disk full: try again), Unauthorized (keys) or Rejected (a
    bucket or folder that is not there or not ours to use); ValueError for a name that is none.
    """

    def write(
        self, name: str, chunks: Iterable[bytes], *, content_type: str, expect_bytes: int | None = None
    ) -> Stored:
        """Keep what `chunks` yields under this name: all of it, or nothing, and never over another object.

        When `chunks` raises, that error comes out and nothing is left behind. Nothing is taken from
        `chunks` when the name is taken already.

        Args:
            expect_bytes: how many there have to be.
        Raises:
            Exists: the name is taken; by whoever was first, when two write at once.
            Unavailable: also when it is not `expect_bytes`: the transfer was cut off.
        """
        ...

    def replace(self, name: str, chunks: Iterable[bytes], *, content_type: str) -> None:
        """Put other bytes in place of an object's: all of them, or it stays as it was.

        For the same content in another form alone: who reads it meanwhile has the old bytes or the new ones.
        An object that is deleted meanwhile may come back; raises as `write`.

        Raises:
            Missing: there is none.
        """
        ...

    def open(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to, without, `end`; none beyond the object's own.

        Raises:
            Missing: at the call, not at the first byte.
        """
        ...

    def size(self, name: str) -> int | None:
        """Bytes; None when there is no such object."""
        ...

    def delete(self, name: str) -> bool:
        """Whether it was there, or a part of it that a killed writer left."""
        ...

    def clear_leftovers(self) -> int:
        """Delete what writers left that were killed over a day ago; how many parts."""
        ...

    def usage(self) -> tuple[int, int]:
        """Bytes of all objects, and how many there are. Reads their list: not for every minute."""
        ...

    def names(self) -> Iterator[str]:
        """The names of all objects that begin with a day; some that come or go meanwhile may be missing or
        among them.

        Other names are not ours: the recordings of other accounts may be below the same place.
        """
        ...

    def delete_older_than(self, when: datetime) -> int:
        """Delete objects of days (the date in their name, UTC) that ended by then; of other names, none.

        By the date of the call, not of the writing: a call of last year that is fetched today is not
        kept for another year.

        Returns:
            How many; when that is `MOST_DELETED`, there are more and another call goes on.
        """
        ...


def name_of(call: Call, kind: Kind) -> str:
    """`2026/03/02/<uuid, else id>.wav`, by the day (UTC) on which the call began.

    What is learnt later (the uuid, an earlier start) makes another name: keep the one it was written under.

    Raises:
        ValueError: a call without any id, or without any time.
    """
    key = call.uuid or call.call_id
    at = call.started_at or call.answered_at or call.ended_at
    if key is None or at is None:
        raise ValueError("a recording is kept under the id and the day of its call: they are never invented")
    return f"{at.astimezone(UTC):%Y/%m/%d}/{key}.{kind}"


def check_name(name: str) -> str:
    """The name, which cannot lead out of the storage.

    Raises:
        ValueError: it might.
    """
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise ValueError(
            f"{name[:80]!r} is not a valid object name: letters, digits, '.', '-' and '_' in parts "
            "separated by '/', none of them beginning with '.' or '-'"
        )
    return name


def day_of(name: str) -> date | None:
    """The day in a name of the layout by date."""
    found = _DATED.match(name)
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def measure(storage: Storage, name: str) -> Stored:
    """Read an object through, to know its size and SHA-256.

    Raises:
        Missing: there is none.
    """
    counted = Counted(storage.open(name))
    for _ in counted:
        pass
    return counted.stored(name)


class Counted:
    """Chunks on their way, their size and SHA-256 taken as they pass; ends early when there are too many.

    Raises (while iterating):
        Unavailable: there were not `expect_bytes` in all.
    """

    def __init__(self, chunks: Iterable[bytes], *, expect_bytes: int | None = None) -> None:
        self._chunks = chunks
        self._expect = expect_bytes
        self._hash = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            self._hash.update(chunk)
            if self._expect is not None and self.size > self._expect:
                self._wrong("at least ")
            yield chunk
        if self._expect is not None and self.size != self._expect:
            self._wrong("")

    def _wrong(self, how: str) -> None:
        raise Unavailable(
            f"Received {how}{self.size} bytes where {self._expect} were announced; nothing was "
            "stored, fetch it again"
        )

    def stored(self, name: str) -> Stored:
        return Stored(name, self.size, self._hash.hexdigest())
