"""The file of a backup: a gzipped tar of parts, whose last one says what the others have to be.

    header.json                 format, versions, when
    journal/NAME                files of the journal, as they were
    ledger.jsonl                see `bridge.ledger.dump`
    settings.json, rules.toml   without secrets
    recordings.json             which recordings the ledger names: [{"name", "size", "sha256"}]
    recordings/NAME             the recordings themselves, where they were wanted
    manifest.json               {"parts": {name: {"size", "sha256"}}, …}

A file that was cut off has no manifest; one byte changed does not fit its checksum. Both are found before
anything is restored.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from bridge.errors import WrongUse

FORMAT = 1
HEADER, MANIFEST = "header.json", "manifest.json"
LEDGER, SETTINGS, RULES, INDEX = "ledger.jsonl", "settings.json", "rules.toml", "recordings.json"
JOURNAL, RECORDINGS = "journal/", "recordings/"
_PIECE = 1 << 20
_LEFTOVER_S = 86_400.0
# Of the parts that are read as a whole.
_LARGEST_TEXT = 512 * 1024 * 1024


class BackupWriter:
    """Context manager: the file is there, whole, once the block has ended without an error; else it is not.

    For its owner only. It is written beside its place under another name, and renamed at the end. What a
    killed one left there, with data of people in it, is deleted by the next after a day.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> BackupWriter:
        self._clear_leftovers()
        file, name = tempfile.mkstemp(prefix=f".{self._path.name}.", suffix=".new", dir=self._path.parent)
        self._new = Path(name)
        self._out = os.fdopen(file, "wb")
        self._tar = tarfile.open(fileobj=self._out, mode="w:gz", compresslevel=6)
        return self

    def _clear_leftovers(self) -> None:
        start, oldest = f".{self._path.name}.", time.time() - _LEFTOVER_S
        for path in self._path.parent.iterdir():
            if path.name.startswith(start) and path.suffix == ".new":
                with contextlib.suppress(OSError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()

    def add(self, name: str, pieces: Iterable[bytes]) -> int:
        """One part; its size."""
        digest, size = hashlib.sha256(), 0
        with tempfile.TemporaryFile(dir=self._path.parent) as spool:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                spool.write(piece)
            spool.seek(0)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = size, 0o600, int(time.time())
            self._tar.addfile(entry, spool)
        self._parts[name] = {"size": size, "sha256": digest.hexdigest()}
        return size

    def add_json(self, name: str, value: Any) -> None:
        self.add(name, [json.dumps(value, indent=1, ensure_ascii=False).encode()])

    def end(self, facts: Mapping[str, Any]) -> None:
        """The manifest, with these facts beside the parts."""
        text = json.dumps({**facts, "parts": self._parts}, indent=1).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode, entry.mtime = len(text), 0o600, int(time.time())
        self._tar.addfile(entry, io.BytesIO(text))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._tar.close()
                self._out.flush()
                os.fsync(self._out.fileno())
                self._new.replace(self._path)
                _sync_folder(self._path.parent)
        finally:
            self._out.close()
            self._new.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


class Backup:
    """A backup that was read through, and is as it was written.

    Raises:
        WrongUse: it is damaged, cut off, of a newer format, or no backup.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        seen: dict[str, dict[str, Any]] = {}
        manifest: dict[str, Any] | None = None
        for name, file in self._read():
            if name == MANIFEST:
                manifest = _json(file.read(_LARGEST_TEXT), path)
                continue
            digest, size = hashlib.sha256(), 0
            with _damage_said(path):
                while piece := file.read(_PIECE):
                    digest.update(piece)
                    size += len(piece)
            seen[name] = {"size": size, "sha256": digest.hexdigest()}
        if manifest is None:
            raise WrongUse(f"{path} is cut off, or no backup of callbridge: it has no {MANIFEST}")
        if manifest.get("parts") != seen or not {HEADER, LEDGER} <= set(seen):
            raise WrongUse(f"{path} is damaged: its parts do not fit their checksums; take another backup")
        self.manifest: Mapping[str, Any] = manifest
        self.header = self.json(HEADER)
        if int(self.header["format"]) > FORMAT:
            raise WrongUse(
                f"{path} is of format {self.header['format']} and this version reads {FORMAT}: restore it "
                f"with callbridge {self.header.get('version', 'of then')}"
            )

    @property
    def names(self) -> list[str]:
        return list(self.manifest["parts"])

    def size(self, name: str) -> int:
        return int(self.manifest["parts"][name]["size"])

    def json(self, name: str) -> Any:
        """A part as JSON."""
        return _json(self.read(name), self.path)

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read(_LARGEST_TEXT)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A part, to be read while the block lasts."""
        for found, file in self._read():
            if found == name:
                yield file
                return
        raise WrongUse(f"{self.path} has no {name}")

    def parts(self, start: str) -> Iterator[tuple[str, IO[bytes]]]:
        """The parts whose names start so, without it, in one pass."""
        for name, file in self._read():
            if name.startswith(start):
                yield name.removeprefix(start), file

    def _read(self) -> Iterator[tuple[str, IO[bytes]]]:
        with _damage_said(self.path), tarfile.open(self.path, "r|gz") as tar:
            for entry in tar:
                file = tar.extractfile(entry) if entry.isfile() else None
                if file is not None:
                    yield entry.name, file


@contextlib.contextmanager
def _damage_said(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise WrongUse(f"{path} is damaged or no backup of callbridge; take another file") from error
    except OSError as error:
        raise WrongUse(f"{path} cannot be read: {error.strerror or 'it is damaged'}") from error


def _json(text: bytes, path: Path) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise WrongUse(f"{path} is damaged: a part of it is no JSON") from error
