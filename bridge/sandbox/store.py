"""Documents by kind, in memory, and on disk when a path is given."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Document = dict[str, Any]
KeysOf = Callable[[str, Document], Iterable[tuple[str, str]]]


class Store:
    """Documents by kind and id, oldest first. The caller holds the lock, and never changes what it read.

    With a path, a document is on disk before `put` returns, so a killed process loses none of them.

    Args:
        keys_of: the (name, value) pairs under which `find` finds a document.
    """

    def __init__(self, path: Path | None, keys_of: KeysOf) -> None:
        self._keys_of = keys_of
        self._kinds: dict[str, dict[str, Document]] = {}
        self._positions: dict[tuple[str, str], int] = {}
        self._ids_by_key: dict[tuple[str, str, str], set[str]] = {}
        self._last_position = 0
        self._bytes: dict[tuple[str, str], bytes] = {}  # without a disk
        self._disk = None if path is None else _open(path)
        if self._disk is not None:
            rows = self._disk.execute("SELECT kind, id, position, body FROM documents ORDER BY position")
            for kind, document_id, position, body in rows:
                self._keep(kind, document_id, json.loads(body), position)

    def put(self, kind: str, document_id: str, document: Document) -> None:
        position = self._positions.get((kind, document_id), self._last_position + 1)
        if self._disk is not None:
            self._disk.execute(
                "INSERT INTO documents (kind, id, position, body) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, document_id, position, json.dumps(document)),
            )
        self._keep(kind, document_id, document, position)

    def drop(self, kind: str, document_id: str) -> None:
        """Take a document away; where there is none, nothing happens."""
        document = self._kinds.get(kind, {}).pop(document_id, None)
        if document is None:
            return
        for key, value in self._keys_of(kind, document):
            self._ids_by_key[kind, key, value].discard(document_id)
        del self._positions[kind, document_id]
        self.put_bytes(kind, document_id, None)
        if self._disk is not None:
            self._disk.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, document_id))

    def get(self, kind: str, document_id: str) -> Document | None:
        return self._kinds.get(kind, {}).get(document_id)

    def all(self, kind: str) -> list[Document]:
        return list(self._kinds.get(kind, {}).values())

    def find(self, kind: str, key: str, value: str) -> list[Document]:
        """Those with this value under this key, oldest first."""
        ids = self._ids_by_key.get((kind, key, value), set())
        return [self._kinds[kind][i] for i in sorted(ids, key=lambda i: self._positions[kind, i])]

    def remove(self, kind: str, document_id: str) -> None:
        """Raises KeyError: there is none."""
        document = self._kinds[kind].pop(document_id)
        del self._positions[kind, document_id]
        for key, value in self._keys_of(kind, document):
            self._ids_by_key[kind, key, value].discard(document_id)
        self.put_bytes(kind, document_id, None)
        if self._disk is not None:
            self._disk.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, document_id))

    def clear(self, kinds: Iterable[str]) -> None:
        for kind in kinds:
            if self._disk is not None:
                self._disk.execute("DELETE FROM documents WHERE kind = ?", (kind,))
                self._disk.execute("DELETE FROM bytes WHERE kind = ?", (kind,))
            for document_id in self._kinds.pop(kind, {}):
                del self._positions[kind, document_id]
                self._bytes.pop((kind, document_id), None)
            for key in [key for key in self._ids_by_key if key[0] == kind]:
                del self._ids_by_key[key]

    def put_bytes(self, kind: str, document_id: str, content: bytes | None) -> None:
        """Keep these beside the document; None: keep none."""
        if self._disk is None:
            self._bytes.pop((kind, document_id), None)
            if content is not None:
                self._bytes[kind, document_id] = content
        else:
            self._disk.execute("DELETE FROM bytes WHERE kind = ? AND id = ?", (kind, document_id))
            if content is not None:
                self._disk.execute("INSERT INTO bytes VALUES (?, ?, ?)", (kind, document_id, content))

    def bytes_of(self, kind: str, document_id: str) -> bytes | None:
        if self._disk is None:
            return self._bytes.get((kind, document_id))
        query = "SELECT content FROM bytes WHERE kind = ? AND id = ?"
        row = self._disk.execute(query, (kind, document_id)).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        if self._disk is not None:
            self._disk.close()

    def _keep(self, kind: str, document_id: str, document: Document, position: int) -> None:
        of_kind = self._kinds.setdefault(kind, {})
        before = of_kind.get(document_id)
        if before is not None:
            for key, value in self._keys_of(kind, before):
                self._ids_by_key[kind, key, value].discard(document_id)
        for key, value in self._keys_of(kind, document):
            self._ids_by_key.setdefault((kind, key, value), set()).add(document_id)
        of_kind[document_id] = document
        self._positions[kind, document_id] = position
        self._last_position = max(self._last_position, position)


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # One connection for all threads: the world's lock lets one of them in at a time.
    disk = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    disk.execute("PRAGMA journal_mode = WAL")
    # What is written has left the process, which is all that SIGKILL asks for; a power cut may take the
    # last seconds, and this is not the place to pay for that.
    disk.execute("PRAGMA synchronous = OFF")
    disk.execute(
        "CREATE TABLE IF NOT EXISTS documents"
        " (kind TEXT, id TEXT, position INTEGER, body TEXT, PRIMARY KEY (kind, id))"
    )
    disk.execute(
        "CREATE TABLE IF NOT EXISTS bytes (kind TEXT, id TEXT, content BLOB, PRIMARY KEY (kind, id))"
    )
    return disk
