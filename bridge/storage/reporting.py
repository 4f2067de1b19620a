"""A storage that reports its failures, and that it works again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from bridge.errors import Rejected, Unauthorized, Unavailable
from bridge.storage.contract import Storage, Stored


class ReportingStorage:
    """The same storage.

    Args:
        failed: called with why a write failed, unless that was for what was to be written.
        works: called after each write.
    """

    def __init__(self, inner: Storage, *, failed: Callable[[str], None], works: Callable[[], None]) -> None:
        self._inner, self._failed, self._works = inner, failed, works

    def write(
        self, name: str, chunks: Iterable[bytes], *, content_type: str, expect_bytes: int | None = None
    ) -> Stored:
        source: list[BaseException] = []

        def passed() -> Iterator[bytes]:
            try:
                yield from chunks
            except BaseException as error:
                source.append(error)
                raise

        try:
            stored = self._inner.write(name, passed(), content_type=content_type, expect_bytes=expect_bytes)
        except (Unavailable, Unauthorized, Rejected) as error:
            if error not in source:
                self._failed(str(error).replace(name, "a recording"))
            raise
        self._works()
        return stored

    def replace(self, name: str, chunks: Iterable[bytes], *, content_type: str) -> None:
        self._inner.replace(name, chunks, content_type=content_type)

    def open(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        return self._inner.open(name, start=start, end=end)

    def size(self, name: str) -> int | None:
        return self._inner.size(name)

    def delete(self, name: str) -> bool:
        return self._inner.delete(name)

    def clear_leftovers(self) -> int:
        return self._inner.clear_leftovers()

    def usage(self) -> tuple[int, int]:
        return self._inner.usage()

    def names(self) -> Iterator[str]:
        return self._inner.names()

    def delete_older_than(self, when: datetime) -> int:
        return self._inner.delete_older_than(when)
