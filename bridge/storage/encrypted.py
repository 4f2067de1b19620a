"""A storage whose objects are encrypted; those that were stored before are read as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bridge.encryption.keyring import Keyring
from bridge.encryption.streams import HEADER_BYTES, Header, Range, decrypted, encrypted, plain_size
from bridge.storage.around import StorageAround
from bridge.storage.contract import Counted, Exists, Missing, Storage, Stored


class EncryptedStorage(StorageAround):
    """The same storage; see `Storage`. Names, sizes and bytes are those of the plain objects.

    All that reads may also raise KeyMissing or Tampered (while iterating).
    """

    def __init__(self, inner: Storage, keyring: Keyring) -> None:
        super().__init__(inner)
        self._keyring = keyring

    def __repr__(self) -> str:
        return f"EncryptedStorage({self.inner!r})"

    def write(
        self, name: str, chunks: Iterable[bytes], *, content_type: str, expect_bytes: int | None = None
    ) -> Stored:
        counted = Counted(chunks, expect_bytes=expect_bytes)
        try:
            self.inner.write(name, self._stored(name, counted), content_type=content_type)
        except Exists as there:
            raise Exists(Stored(name, self.size(name) or 0)) from there
        return counted.stored(name)

    def replace(self, name: str, chunks: Iterable[bytes], *, content_type: str) -> None:
        self.inner.replace(name, self._stored(name, chunks), content_type=content_type)

    def _stored(self, name: str, chunks: Iterable[bytes]) -> Iterable[bytes]:
        key = self._keyring.first
        return chunks if key is None else encrypted(self._keyring, key, name, chunks)

    def open(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        if start < 0:
            raise ValueError("a range begins at 0 or later")
        if not self._keyring.is_on:
            chunks = self.inner.open(name, start=start, end=end)
            return chunks if start else _unless_encrypted(self._keyring, chunks)
        header, stored = self._look(name)
        if header is None:
            return self.inner.open(name, start=start, end=end)
        # Before the first byte is sent: an answer that has begun cannot say why it ends.
        self._keyring.key(header.key_id)
        wanted = Range.of(stored, start, end)
        chunks = self.inner.open(name, start=wanted.start, end=wanted.end)
        return decrypted(self._keyring, header, name, stored, chunks, wanted)

    def size(self, name: str) -> int | None:
        if not self._keyring.is_on:
            return self.inner.size(name)
        try:
            header, stored = self._look(name)
        except Missing:
            return None
        return stored if header is None else plain_size(stored)

    def key_id(self, name: str) -> str | None:
        """The id of the key that an object is encrypted with; None: it is stored as it is.

        Raises:
            Missing: there is none.
        """
        header, _ = self._look(name)
        return None if header is None else header.key_id

    def _look(self, name: str) -> tuple[Header | None, int]:
        stored = self.inner.size(name)
        if stored is None:
            raise Missing(name)
        begin = b"".join(self.inner.open(name, start=0, end=HEADER_BYTES))
        return Header.read(begin), stored


def _unless_encrypted(keyring: Keyring, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same; what is encrypted is no recording. Raises KeyMissing, before the first byte."""
    first = next(chunks, b"")
    if (header := Header.read(first)) is not None:
        keyring.key(header.key_id)
    return _both(first, chunks)


def _both(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from chunks
