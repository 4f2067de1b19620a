"""One file of a journal: locked by the process that uses it, fsynced, readable by its owner only."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from bridge.journal.lines import Damaged, line_of, text_of
from bridge.logs import get_logger

log = get_logger(__name__)

SUFFIX = ".journal"


class JournalFile:
    """Made by `create` or `adopt`; ours until `drop` or `release`, or until this process ends, however.

    Not for several threads at once.
    """

    def __init__(self, path: Path, file: int) -> None:
        self.path, self._file = path, file
        self.size = 0
        self.events = 0
        # When the oldest record that is left came, ms since 1970.
        self.oldest_at_ms: int | None = None
        self._read_to = 0

    @classmethod
    def create(cls, folder: Path) -> JournalFile:
        """An empty file, that is still there after a power cut. Raises OSError."""
        _make_folder(folder)
        while True:
            path = folder / f"{time.time_ns():020d}-{os.getpid()}{SUFFIX}"
            try:
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            if _lock(file):
                break
            # Another process took it for one that nobody has, between the two calls above.
            os.close(file)
        try:
            _sync_folder(folder)
        except OSError:
            os.close(file)
            raise
        return cls(path, file)

    @classmethod
    def adopt(cls, path: Path) -> JournalFile | None:
        """A file that a process left behind; None when somebody has it, or has just ended it."""
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        if not _lock(file) or os.fstat(file).st_nlink == 0:
            os.close(file)
            return None
        adopted = cls(path, file)
        adopted.look_through()
        return adopted

    def append(self, texts: Sequence[bytes], *, at_ms: int) -> None:
        """Write records down and return once the disk has them.

        Args:
            at_ms: when the first of them came.
        Raises:
            OSError: none of them counts; what was written of them is taken back where that is possible.
        """
        lines = b"".join(map(line_of, texts))
        try:
            written = 0
            while written < len(lines):
                written += os.pwrite(self._file, lines[written:], self.size + written)
            # The size changes as well, which fdatasync writes too.
            (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self.size)
            raise
        self.size += len(lines)
        self.events += len(texts)
        if self.oldest_at_ms is None:
            self.oldest_at_ms = at_ms

    def look_through(self) -> None:
        """Count what is there, drop what was not written to its end, keep aside what is damaged."""
        self.size = self.events = self._read_to = 0
        self.oldest_at_ms = None
        damaged: list[bytes] = []
        with os.fdopen(os.dup(self._file), "rb") as lines:
            lines.seek(0)
            for line in lines:
                if not line.endswith(b"\n"):
                    log.info("dropped a half-written line of the journal, it was not acknowledged")
                    os.ftruncate(self._file, self.size)
                    break
                self.size += len(line)
                try:
                    text = text_of(line)
                except Damaged:
                    damaged.append(line)
                    continue
                self.events += 1
                if self.oldest_at_ms is None:
                    self.oldest_at_ms = _came_at_ms(text)
        if damaged:
            self._set_aside("damaged", damaged)
            log.error(
                "damaged lines in the journal, kept aside", count=len(damaged), file=self._aside("damaged")
            )

    def read(self, most: int) -> tuple[list[bytes], int]:
        """The next records, in the order in which they came, and the place behind them for `done`."""
        texts: list[bytes] = []
        place = self._read_to
        with os.fdopen(os.dup(self._file), "rb") as lines:
            lines.seek(place)
            for line in lines:
                if len(texts) == most or not line.endswith(b"\n"):
                    break
                place += len(line)
                with contextlib.suppress(Damaged):
                    texts.append(text_of(line))
        return texts, place

    def done(self, count: int, place: int) -> None:
        """The records before `place` are held elsewhere. A crash forgets this: they are read once more."""
        self._read_to = place
        self.events -= count
        following, _ = self.read(1)
        self.oldest_at_ms = _came_at_ms(following[0]) if following else None

    def refused(self, text: bytes) -> None:
        """Keep a record aside that nobody will take as it is."""
        self._set_aside("refused", [line_of(text)], mode="ab")
        log.error("Redis refuses a record of the journal, kept aside", file=self._aside("refused"))

    def drop(self) -> None:
        """Remove the file: everything in it is held elsewhere."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Leave the file to whoever adopts it; once more changes nothing."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _aside(self, why: str) -> str:
        return f"{self.path.name}.{why}"

    def _set_aside(self, why: str, lines: Sequence[bytes], *, mode: str = "wb") -> None:
        with open(self.path.with_name(self._aside(why)), mode, opener=_private) as out:
            out.writelines(lines)
            out.flush()
            os.fsync(out.fileno())


def left_behind(folder: Path) -> list[Path]:
    """All files of a folder's journals, oldest first, whoever has them."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def set_aside(folder: Path) -> int:
    """How many files with damaged or refused records wait for a person."""
    return sum(1 for why in ("damaged", "refused") for _ in folder.glob(f"*{SUFFIX}.{why}"))


def _came_at_ms(text: bytes) -> int | None:
    try:
        return int(json.loads(text)["at"])
    except (ValueError, KeyError, TypeError):
        return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)
    # Bodies hold what people said; also where somebody made the folder before.
    folder.chmod(0o700)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
