"""Downloads to a file: there whole or not at all, and shown on their way."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from bridge.errors import TooLarge, Unavailable, WrongUse

# What is there sooner than this needs no watching.
_QUIET_S, _EVERY_S = 0.5, 0.2


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that replaces `path` at the end, when all went well; until then what was there stays.

    Opened before anything is asked for, so that a folder that is not there costs no request.

    Raises:
        WrongUse: it cannot be written there.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            # A device or a pipe: nothing to replace.
            with path.open("wb") as device:
                yield device
            return
        if path.is_dir():
            raise IsADirectoryError(0, "is a folder")
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    except OSError as error:
        raise WrongUse(f"cannot write {path}: {error.strerror}") from error
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def pour(
    chunks: Iterable[bytes], file: BinaryIO, size: int | None, progress: Progress, *, most_mb: int = 500
) -> int:
    """
    Args:
        most_mb: what is larger, or never ends, is not kept.

    Returns:
        How many bytes came.

    Raises:
        Unavailable: fewer than were announced.
        TooLarge: more than `most_mb`.
    """
    count = 0
    try:
        _check_size(size or 0, "announced", most_mb)
        for chunk in chunks:
            count += len(chunk)
            _check_size(count, "received so far", most_mb)
            file.write(chunk)
            progress.at(count)
    finally:
        progress.end()
    if size is not None and count != size:
        raise Unavailable(f"the download broke off after {count:,} of {size:,} bytes; nothing was kept")
    return count


def _check_size(count: int, how: str, most_mb: int) -> None:
    if count > most_mb * 1_000_000:
        raise TooLarge(f"the answer is larger than {most_mb} MB (RECORDING_MAX_MB): {count:,} bytes {how}")


class Progress:
    """One line on a terminal that tells how far a download is; nothing where nobody looks.

    Args:
        size: of the whole in bytes, if known.
    """

    def __init__(
        self, size: int | None, *, out: TextIO | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._size, self._now = size, now
        self._out = out or sys.stderr
        self._shown = self._out.isatty()
        self._began = now()
        self._next = self._began + _QUIET_S
        self._said = False

    def at(self, count: int) -> None:
        now = self._now()
        if not self._shown or now < self._next:
            return
        self._next = now + _EVERY_S
        self._said = True
        speed = f"{count / (now - self._began) / 1e6:.1f} MB/s"
        of = f" of {self._size / 1e6:.1f} MB, {100 * count // self._size} %" if self._size else " MB"
        self._out.write(f"\r\x1b[K{count / 1e6:.1f}{of}, {speed}")
        self._out.flush()

    def end(self) -> None:
        if self._said:
            self._out.write("\r\x1b[K")
            self._out.flush()
