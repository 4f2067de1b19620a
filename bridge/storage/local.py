"""Recordings in a folder, which several processes may share."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bridge.errors import Rejected, Unavailable
from bridge.storage.contract import (
    MOST_DELETED,
    PIECE,
    Counted,
    Exists,
    Missing,
    Stored,
    check_name,
    day_of,
)

# Where objects are while they are written: one folder, so that leftovers are found without walking all
# days, and below the root, so that it is the same file system. No name begins with a dot.
_INCOMING = ".incoming"
_LEFTOVER_S = 86_400
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}


class LocalStorage:
    """One folder; see `Storage`. Files are for their owner only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"LocalStorage({str(self.folder)!r})"

    def write(
        self, name: str, chunks: Iterable[bytes], *, content_type: str, expect_bytes: int | None = None
    ) -> Stored:
        """See `Storage.write`; a folder has no place for the content type."""
        target = self.folder / check_name(name)
        self._refuse_if_there(name)
        counted = Counted(chunks, expect_bytes=expect_bytes)
        with self._written(name, counted) as new, self._errors(f"write {name}"):
            self._link(new, target, name)
        return counted.stored(name)

    def replace(self, name: str, chunks: Iterable[bytes], *, content_type: str) -> None:
        """See `Storage.replace`."""
        target = self.folder / check_name(name)
        with self._written(name, chunks) as new, self._errors(f"write {name}"):
            if not target.is_file():
                raise Missing(name)
            new.replace(target)
            _flush_folder(target.parent)

    def open(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        if start < 0:
            raise ValueError("a range begins at 0 or later")
        path = self.folder / check_name(name)
        with self._errors(f"read {name}"):
            try:
                file = path.open("rb", buffering=0)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as cause:
                raise Missing(name) from cause
        return self._read(file, name, start, end)

    def size(self, name: str) -> int | None:
        path = self.folder / check_name(name)
        with self._errors(f"look for {name}"):
            try:
                found = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return found.st_size if path.is_file() else None

    def delete(self, name: str) -> bool:
        path = self.folder / check_name(name)
        with self._errors(f"delete {name}"):
            # What a killed writer left of it, too; one that still writes finds its file gone at the end.
            parts = [*(self.folder / _INCOMING).glob(f"{_flat(name)}.*")]
            return sum(map(_unlink, (path, *parts))) > 0

    def clear_leftovers(self) -> int:
        oldest, cleared = time.time() - _LEFTOVER_S, 0
        with self._errors("clear away partial recordings"), contextlib.suppress(FileNotFoundError):
            for path in (self.folder / _INCOMING).iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < oldest:
                        cleared += _unlink(path)
        return cleared

    def usage(self) -> tuple[int, int]:
        size = count = 0
        with self._errors("measure the recordings"):
            for folder, _, files in os.walk(self.folder):
                for file in files:
                    with contextlib.suppress(FileNotFoundError):
                        size += (Path(folder) / file).stat().st_size
                        count += 1
        return size, count

    def names(self) -> Iterator[str]:
        with self._errors("list recordings"):
            for day_folder in self._days():
                for folder, folders, files in os.walk(day_folder):
                    folders[:] = sorted(one for one in folders if one[0] != ".")
                    below = Path(folder).relative_to(self.folder)
                    found = ((below / file).as_posix() for file in sorted(files) if file[0] != ".")
                    yield from (name for name in found if day_of(name) is not None)

    def delete_older_than(self, when: datetime) -> int:
        before = when.astimezone(UTC).date()
        deleted = 0
        with self._errors("delete old recordings"):
            for day_folder in self._days():
                day = day_of(f"{day_folder.relative_to(self.folder).as_posix()}/x")
                if day is None:
                    continue
                if day >= before:
                    break
                for folder, _, files in os.walk(day_folder, topdown=False):
                    for file in sorted(files):
                        if deleted == MOST_DELETED:
                            return deleted
                        with contextlib.suppress(FileNotFoundError):
                            (Path(folder) / file).unlink()
                            deleted += 1
                    _remove_empty(Path(folder))
                _remove_empty(day_folder.parent)
                _remove_empty(day_folder.parent.parent)
        return deleted

    def _read(self, file: io.FileIO, name: str, start: int, end: int | None) -> Iterator[bytes]:
        with file:
            left = None if end is None else end - start
            with self._errors(f"read {name}"):
                file.seek(start)
            while left is None or left > 0:
                with self._errors(f"read {name}"):
                    piece = file.read(PIECE if left is None else min(PIECE, left))
                if not piece:
                    return
                if left is not None:
                    left -= len(piece)
                yield piece

    @contextlib.contextmanager
    def _written(self, name: str, chunks: Iterable[bytes]) -> Iterator[Path]:
        """A file beside the others with these bytes, on disk; it is gone afterwards, unless it was moved."""
        new = self.folder / _INCOMING / f"{_flat(name)}.{os.getpid()}-{uuid.uuid4().hex}"
        try:
            with self._errors(f"write {name}"):
                file = self._create(new)
            with file:
                for chunk in chunks:
                    with self._errors(f"write {name}"):
                        _write_all(file, chunk)
                with self._errors(f"write {name}"):
                    os.fsync(file.fileno())
            yield new
        finally:
            with contextlib.suppress(OSError):
                new.unlink()

    def _refuse_if_there(self, name: str) -> None:
        size = self.size(name)
        if size is not None:
            raise Exists(Stored(name, size))

    def _create(self, path: Path) -> io.FileIO:
        _make_folder(path.parent)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return io.FileIO(file, "wb")

    def _link(self, new: Path, target: Path, name: str) -> None:
        """Give the whole file its name, unless another has it; a rename would put it over that one."""
        for tries_left in (2, 1, 0):
            _make_folder(target.parent)
            try:
                os.link(new, target)
            except FileExistsError:
                self._refuse_if_there(name)
                # A folder, or it was deleted in between.
                raise
            except FileNotFoundError:
                # The folder of that day was empty, and removed between the two.
                if not tries_left:
                    raise
            else:
                _flush_folder(target.parent)
                return

    def _days(self) -> Iterator[Path]:
        """Folders three deep, the oldest day first; also those that are no days."""
        level = [self.folder]
        for _ in range(2):
            level = [below for folder in level for below in _folders_in(folder)]
        for folder in level:
            yield from _folders_in(folder)

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as cause:
            how = cause.strerror or type(cause).__name__
            if cause.errno in _FULL:
                raise Unavailable(
                    f"Could not {what}: no space in {self.folder} ({how}); free some, the bridge will retry"
                ) from cause
            if cause.errno in _NO_LINKS and cause.filename2 is not None:
                raise Rejected(
                    f"Could not {what}: the file system of {self.folder} has no hard links ({how}); "
                    "use another one: RECORDINGS_URL=file:/folder"
                ) from cause
            if cause.errno in _NOT_OURS:
                raise Rejected(
                    f"Could not {what} in {self.folder}: {how}. Make it a folder that this process's "
                    "user can write, or use another one: RECORDINGS_URL=file:/folder"
                ) from cause
            raise Unavailable(f"Could not {what} in {self.folder}: {how}; the bridge will retry") from cause


def _flat(name: str) -> str:
    """The name of an object in one part, as its unfinished file begins."""
    return name.replace("/", "-")


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    return True


def _write_all(file: io.FileIO, chunk: bytes) -> None:
    # Unbuffered, so that a full disk shows here and not in a later flush; one write may take only a part.
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


def _make_folder(folder: Path) -> None:
    """Make it and those above it, for their owner only; flushed, so that a power cut does not take them."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _folders_in(folder: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError):
        return sorted(below for below in folder.iterdir() if below.is_dir() and below.name[0] != ".")
    return []


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
