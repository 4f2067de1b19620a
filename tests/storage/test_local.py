"""What is particular to a folder."""

from __future__ import annotations

import errno
import io
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import Rejected, Unavailable
from bridge.storage import Exists, open_storage
from bridge.storage.local import LocalStorage
from tests.processes import started
from tests.waiting import eventually

NAME = "2026/03/02/1000000110.wav"


@pytest.fixture
def folder(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "kept")


def files(folder: LocalStorage) -> list[str]:
    return sorted(str(path.relative_to(folder.folder)) for path in folder.folder.rglob("*") if path.is_file())


def test_files_are_for_their_owner_only(folder: LocalStorage) -> None:
    before = os.umask(0)
    try:
        folder.write(NAME, [b"x"], content_type="audio/wav")
    finally:
        os.umask(before)

    for path in [folder.folder, *folder.folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


_SLOW_WRITER = """
import sys, threading
from pathlib import Path
from typing import Any
from bridge.storage import open_storage

def sound():
    yield bytes(3_000_000)
    print("half-way", flush=True)
    threading.Event().wait()

open_storage(sys.argv[1], data_dir=Path()).write(sys.argv[2], sound(), content_type="audio/wav")
"""


def test_a_writer_that_is_killed_leaves_nothing_to_be_seen(folder: LocalStorage) -> None:
    command = [sys.executable, "-c", _SLOW_WRITER, f"file:{folder.folder}", NAME]
    with started(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "half-way\n"
        writer.send_signal(signal.SIGKILL)

    assert folder.size(NAME) is None
    assert [name for name in files(folder) if not name.startswith(".incoming/")] == []
    assert folder.write(NAME, [b"whole"], content_type="audio/wav").size == 5


def test_what_killed_writers_left_is_cleared_away_after_a_day(folder: LocalStorage) -> None:
    folder.write(NAME, [b"x"], content_type="audio/wav")
    for name, age_h in (("old", 25), ("new", 23)):
        path = folder.folder / ".incoming" / name
        path.write_bytes(b"half")
        at = datetime.now(UTC).timestamp() - age_h * 3600
        os.utime(path, (at, at))

    assert folder.clear_leftovers() == 1

    assert files(folder) == [".incoming/new", NAME]


def test_with_a_recording_goes_what_a_killed_writer_left_of_it(folder: LocalStorage) -> None:
    def dies() -> Iterator[bytes]:
        yield b"half"
        parts = [path.name for path in (folder.folder / ".incoming").iterdir()]
        assert len(parts) == 1 and parts[0].startswith(NAME.replace("/", "-"))
        left = folder.folder / ".incoming" / f"{parts[0]}0"
        left.hardlink_to(folder.folder / ".incoming" / parts[0])
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        folder.write(NAME, dies(), content_type="audio/wav")
    other = folder.folder / ".incoming" / "2026-03-02-9.wav.1-a"
    other.write_bytes(b"x")

    assert folder.delete(NAME)
    assert not folder.delete(NAME)

    assert files(folder) == [".incoming/2026-03-02-9.wav.1-a"]


def test_a_day_that_is_empty_has_no_folder(folder: LocalStorage) -> None:
    for name in ("2025/12/31/a.wav", NAME):
        folder.write(name, [b"x"], content_type="audio/wav")

    folder.delete_older_than(datetime(2026, 1, 1, tzinfo=UTC))

    assert sorted(path.name for path in folder.folder.iterdir()) == [".incoming", "2026"]


def test_two_processes_write_one_name(folder: LocalStorage) -> None:
    writer = (
        "import sys; from pathlib import Path; from bridge.storage import Exists, open_storage\n"
        "storage = open_storage(sys.argv[1], data_dir=Path())\n"
        "won = 0\n"
        "for n in range(40):\n"
        "    try:\n"
        "        sound = [sys.argv[2].encode() * 9000] * 9\n"
        "        won += bool(storage.write(f'2026/03/02/{n}.wav', sound, content_type='audio/wav'))\n"
        "    except Exists as error:\n"
        "        assert error.stored.size == 81000\n"
        "print(won)\n"
    )
    with ExitStack() as stack:
        commands = [[sys.executable, "-c", writer, f"file:{folder.folder}", letter] for letter in "abc"]
        processes = [
            stack.enter_context(started(command, stdout=subprocess.PIPE, text=True)) for command in commands
        ]
        result = [process.communicate()[0] for process in processes]

    assert sum(map(int, result)) == 40
    for n in range(40):
        assert len(set(b"".join(folder.open(f"2026/03/02/{n}.wav")))) == 1
    assert [name for name in files(folder) if name.startswith(".incoming/")] == []


class FullDisk(io.FileIO):
    """Takes a little, then no more."""

    def write(self, data: Any, /) -> int:
        if self.tell() >= 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(memoryview(data)[:7])


def test_a_full_disk_is_tried_again_and_leaves_nothing(
    folder: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.storage.local.io.FileIO", FullDisk)

    with pytest.raises(Unavailable, match="no space"):
        folder.write(NAME, [b"x" * 30], content_type="audio/wav")

    assert files(folder) == []


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_them_all(
    folder: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.storage.local.io.FileIO", FullDisk)

    folder.write(NAME, [b"0123456789"], content_type="audio/wav")

    assert b"".join(folder.open(NAME)) == b"0123456789"


def test_a_folder_that_cannot_be_is_for_a_person_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Rejected, match="RECORDINGS_URL"):
        LocalStorage(tmp_path / "file" / "kept").write(NAME, [b"x"], content_type="audio/wav")


def test_a_name_that_is_a_folder_is_for_a_person_to_mend(folder: LocalStorage) -> None:
    folder.write(NAME, [b"x"], content_type="audio/wav")

    with pytest.raises(Rejected):
        folder.write("2026/03", [b"x"], content_type="audio/wav")


def test_a_file_system_without_links_is_for_a_person_to_mend(
    folder: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: object, target: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted", str(source), None, str(target))

    monkeypatch.setattr("bridge.storage.local.os.link", link)

    with pytest.raises(Rejected, match="no hard links"):
        folder.write(NAME, [b"x"], content_type="audio/wav")
    assert files(folder) == []


def test_a_day_that_is_cleared_away_meanwhile_is_made_again(
    folder: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link
    removed: list[Path] = []

    def link(source: Path, target: Path) -> None:
        if not removed:
            removed.append(target)
            target.parent.rmdir()
        real(source, target)

    monkeypatch.setattr("bridge.storage.local.os.link", link)

    folder.write(NAME, [b"x"], content_type="audio/wav")

    assert removed
    assert folder.size(NAME) == 1


def test_opening_makes_nothing(tmp_path: Path) -> None:
    storage = open_storage("file:", data_dir=tmp_path / "data")

    assert storage.size(NAME) is None
    assert storage.delete_older_than(datetime(2026, 1, 1, tzinfo=UTC)) == storage.clear_leftovers() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_stops_early_closes_the_file(folder: LocalStorage) -> None:
    folder.write(NAME, [bytes(1_000_000)], content_type="audio/wav")
    pieces = folder.open(NAME)
    next(pieces)

    pieces.close()  # type: ignore[attr-defined]

    assert folder.delete(NAME)
    eventually(lambda: folder.size(NAME) is None, "it is gone")


def test_what_is_deleted_while_it_is_read_is_read_to_its_end(folder: LocalStorage) -> None:
    folder.write(NAME, [bytes(1_000_000)], content_type="audio/wav")
    pieces = folder.open(NAME)
    first = next(pieces)

    folder.delete(NAME)

    assert len(first) + sum(map(len, pieces)) == 1_000_000


def test_the_existing_one_may_be_of_any_size(folder: LocalStorage) -> None:
    folder.write(NAME, [b""], content_type="audio/wav")

    with pytest.raises(Exists, match="0 bytes"):
        folder.write(NAME, [b"x"], content_type="audio/wav")
