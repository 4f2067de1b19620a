"""A storage in front of another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from bridge.storage.contract import Storage, Stored


class StorageAround:
    """Does what the inner storage does, but for what a subclass does otherwise; see `Storage`."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner

    def write(
        self, name: str, chunks: Iterable[bytes], *, content_type: str, expect_bytes: int | None = None
    ) -> Stored:
        return self.inner.write(name, chunks, content_type=content_type, expect_bytes=expect_bytes)

    def replace(self, name: str, chunks: Iterable[bytes], *, content_type: str) -> None:
        self.inner.replace(name, chunks, content_type=content_type)

    def open(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        return self.inner.open(name, start=start, end=end)

    def size(self, name: str) -> int | None:
        return self.inner.size(name)

    def delete(self, name: str) -> bool:
        return self.inner.delete(name)

    def clear_leftovers(self) -> int:
        return self.inner.clear_leftovers()

    def usage(self) -> tuple[int, int]:
        return self.inner.usage()

    def names(self) -> Iterator[str]:
        return self.inner.names()

    def delete_older_than(self, when: datetime) -> int:
        return self.inner.delete_older_than(when)
