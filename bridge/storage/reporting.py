"""A storage that reports its failures, and that it works again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bridge.errors import Rejected, Unauthorized, Unavailable
from bridge.storage.around import StorageAround
from bridge.storage.contract import Storage, Stored


class ReportingStorage(StorageAround):
    """The same storage.

    Args:
        failed: called with why a write failed, unless that was for what was to be written.
        works: called after each write.
    """

    def __init__(self, inner: Storage, *, failed: Callable[[str], None], works: Callable[[], None]) -> None:
        super().__init__(inner)
        self._failed, self._works = failed, works

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
            stored = self.inner.write(name, passed(), content_type=content_type, expect_bytes=expect_bytes)
        except (Unavailable, Unauthorized, Rejected) as error:
            if error not in source:
                self._failed(str(error).replace(name, "a recording"))
            raise
        self._works()
        return stored
