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
        # Whether what is there was read back since it was written.
        self._looked_through = False
        # Why -> lines that go to a file of their own before this one goes.
        self._aside: dict[str, list[bytes]] = {}

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
        """A file that a process left behind; None when somebody has it, or has just ended it.

        Raises:
            OSError: it cannot be read. It stays as it is, for whoever can.
        """
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        adopted = cls(path, file)
        with contextlib.ExitStack() as unless_ours:
            unless_ours.callback(adopted.release)
            if not _lock(file) or os.fstat(file).st_nlink == 0:
                return None
            adopted.look_through()
            unless_ours.pop_all()
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
        self._looked_through = False
        if self.oldest_at_ms is None:
            self.oldest_at_ms = at_ms

    def look_through(self) -> None:
        """Count what is there, drop what was not written to its end, tell apart what is damaged.

        Raises:
            OSError: it cannot be read; what was known of it stands.
        """
        size = events = 0
        oldest_at_ms: int | None = None
        damaged: list[bytes] = []
        with os.fdopen(os.dup(self._file), "rb") as lines:
            lines.seek(0)
            for line in lines:
                if not line.endswith(b"\n"):
                    log.info(
                        "half-written journal line dropped; it was never acknowledged",
                        file=self.path.name,
                    )
                    os.ftruncate(self._file, size)
                    break
                size += len(line)
                try:
                    text = text_of(line)
                except Damaged:
                    damaged.append(line)
                    continue
                events += 1
                if oldest_at_ms is None:
                    oldest_at_ms = came_at_ms(text)
        self.size, self.events, self.oldest_at_ms = size, events, oldest_at_ms
        self._read_to, self._looked_through = 0, True
        self._aside["damaged"] = damaged
        if damaged:
            log.error("damaged lines in the journal", count=len(damaged), file=self.path.name)

    def read(self, most: int) -> tuple[list[bytes], int]:
        """The next records, in the order in which they came, and the place behind them for `done`."""
        if not self._looked_through:
            self.look_through()
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

    def done(self, count: int, place: int, *, refused: Sequence[bytes] = ()) -> None:
        """The records before `place` are held elsewhere. A crash forgets this: they are read once more.

        Args:
            refused: those among them that nobody will take as they are.
        """
        self._read_to = place
        self.events -= count
        self._aside.setdefault("refused", []).extend(map(line_of, refused))
        following, _ = self.read(1)
        self.oldest_at_ms = came_at_ms(following[0]) if following else None

    def drop(self) -> None:
        """Remove the file: everything in it is held elsewhere, or kept aside now, for a person.

        Only here, and all at once: so a disk that is full holds up none of the others, and a crash
        keeps nothing aside twice.

        Raises:
            OSError: it could not be kept aside, or not be removed. To be tried again.
        """
        for why, lines in self._aside.items():
            if lines:
                aside = self.path.with_name(f"{self.path.name}.{why}")
                with open(aside, "wb", opener=_private) as out:
                    out.writelines(lines)
                    out.flush()
                    os.fsync(out.fileno())
                _sync_folder(self.path.parent)
                log.error("journal records set aside", count=len(lines), file=aside.name)
                lines.clear()
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Leave the file to whoever adopts it; once more changes nothing."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def left_behind(folder: Path) -> list[Path]:
    """All files of a folder's journals, oldest first, whoever has them. Raises OSError."""
    return [folder / name for name in _names(folder) if name.endswith(SUFFIX)]


def set_aside_files(folder: Path) -> list[Path]:
    """Files with damaged or refused records, which wait for a person. Raises OSError."""
    ends = (f"{SUFFIX}.damaged", f"{SUFFIX}.refused")
    return [folder / name for name in _names(folder) if name.endswith(ends)]


def set_aside(folder: Path) -> int:
    """How many of those there are. Raises OSError."""
    return len(set_aside_files(folder))


def _names(folder: Path) -> list[str]:
    # Not `glob`: it takes a folder that may not be read for an empty one.
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []


def came_at_ms(text: bytes) -> int | None:
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
