"""What a folder's journals hold of a person: lines kept aside, and files that nobody hands on."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.journal.files import SUFFIX, JournalFile, left_behind, set_aside_files

# Any text of a line; whether it speaks of the person.
Speaks = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many lines were removed, and files of living processes that still hold some."""

    lines: int = 0
    waiting: int = 0


def erase_lines(folder: Path, speaks: Speaks) -> Erased:
    """Remove the lines that speak of a person.

    A file that a process has locked is left to it: while Redis answers, it hands all of it on within seconds.

    Raises:
        OSError: the folder cannot be read or written.
    """
    lines = waiting = 0
    for path in left_behind(folder):
        if not any(map(speaks, _texts(path))):
            continue
        gone = _erase_left_behind(folder, path, speaks)
        if gone is None:
            waiting += 1
        else:
            lines += gone
    # Last, as damaged lines of those files are among them now.
    lines += sum(_erase_aside(path, speaks) for path in set_aside_files(folder))
    return Erased(lines=lines, waiting=waiting)


def delete_old_aside(folder: Path, *, older_than_s: float, now: float | None = None) -> int:
    """Delete what was kept aside for a person to look at, once it is as old as events may get."""
    oldest, deleted = (time.time() if now is None else now) - older_than_s, 0
    for path in set_aside_files(folder):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
                deleted += 1
    return deleted


def is_of(text: str, account: str) -> bool:
    """Whether a line is of this account (empty: the unnamed one); a damaged one may be of any."""
    try:
        record, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    except ValueError:
        return True
    return not isinstance(record, dict) or record.get("account", "") == account


def _texts(path: Path) -> list[str]:
    try:
        return [_readable(line) for line in path.read_bytes().splitlines(keepends=True)]
    except FileNotFoundError:
        return []


def _readable(line: bytes) -> str:
    """With what JSON escapes written out, where it is JSON."""
    text = line.decode(errors="replace")
    try:
        return text + json.dumps(
            json.loads(text.partition("{")[1] + text.partition("{")[2]), ensure_ascii=False
        )
    except ValueError:
        return text


def _erase_aside(path: Path, speaks: Speaks) -> int:
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return 0
    kept = [line for line in lines if not speaks(_readable(line))]
    if len(kept) == len(lines):
        return 0
    if not kept:
        path.unlink(missing_ok=True)
        return len(lines)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(handle, "wb") as out:
        out.writelines(kept)
        out.flush()
        os.fsync(out.fileno())
    Path(name).replace(path)
    return len(lines) - len(kept)


def _erase_left_behind(folder: Path, path: Path, speaks: Speaks) -> int | None:
    """None where a process has it. What is kept goes to a new file first, so that a crash loses none."""
    file = JournalFile.adopt(path)
    if file is None:
        return None if path.suffix == SUFFIX and path.exists() else 0
    try:
        texts, _ = file.read(file.events)
        kept = [text for text in texts if not speaks(_readable(text))]
        if kept:
            other = JournalFile.create(folder)
            try:
                other.append(kept, at_ms=file.oldest_at_ms or 0)
            finally:
                other.release()
        file.drop()
    finally:
        file.release()
    return len(texts) - len(kept)
