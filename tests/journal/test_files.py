"""A journal's file: who has it, who may read it, what the disk refuses."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from bridge.journal.files import JournalFile, left_behind, set_aside
from bridge.logs import masked

TEXTS = [b'{"at": 1000}', b'{"at": 2000}', b'{"at": 3000}']


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal"


def test_only_its_owner_may_read_it(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)

    file = JournalFile.create(folder)

    assert file.path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_file_that_somebody_has_is_not_taken_from_him(folder: Path) -> None:
    file = JournalFile.create(folder)
    file.append(TEXTS, at_ms=1000)

    assert JournalFile.adopt(file.path) is None

    file.release()
    adopted = JournalFile.adopt(file.path)
    assert adopted is not None
    assert (adopted.events, adopted.size, adopted.oldest_at_ms) == (3, file.size, 1000)


def test_a_file_that_was_ended_meanwhile_is_not_there(folder: Path) -> None:
    file = JournalFile.create(folder)
    file.drop()

    assert JournalFile.adopt(file.path) is None
    assert left_behind(folder) == []


def test_what_was_handed_on_is_not_read_again_and_the_rest_knows_its_age(folder: Path) -> None:
    file = JournalFile.create(folder)
    file.append(TEXTS, at_ms=1000)

    texts, place = file.read(2)
    file.done(2, place)

    assert texts == TEXTS[:2]
    assert (file.events, file.oldest_at_ms) == (1, 3000)
    assert file.read(2)[0] == TEXTS[2:]


def test_a_full_disk_leaves_whole_records_only(folder: Path) -> None:
    file = JournalFile.create(folder)
    file.append(TEXTS, at_ms=1000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # Room for half a record.
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.size + 10, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            file.append([b'{"at": 4000}'], at_ms=4000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)

    assert file.path.stat().st_size == file.size
    file.append([b'{"at": 5000}'], at_ms=5000)
    assert file.read(9)[0] == [*TEXTS, b'{"at": 5000}']


def test_a_damaged_line_is_kept_aside_once_and_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = JournalFile.create(folder)
    file.append(TEXTS, at_ms=1000)
    raw = bytearray(file.path.read_bytes())
    raw[40] ^= 1
    file.path.write_bytes(raw)
    file.release()

    for _ in range(2):
        adopted = JournalFile.adopt(file.path)
        assert adopted is not None
        assert adopted.read(9)[0] == [TEXTS[0], TEXTS[2]]
        adopted.release()
    assert list(folder.iterdir()) == [file.path]
    last = JournalFile.adopt(file.path)
    assert last is not None
    last.drop()

    aside = file.path.with_name(f"{file.path.name}.damaged")
    assert aside.read_bytes() == bytes(raw).splitlines(keepends=True)[1]
    assert aside.stat().st_mode & 0o777 == 0o600
    assert list(folder.iterdir()) == [aside]


def test_one_that_cannot_be_read_is_no_file_that_has_ended(folder: Path) -> None:
    unreadable = folder / "1.journal"
    unreadable.mkdir(parents=True)

    with pytest.raises(IsADirectoryError):
        JournalFile.adopt(unreadable)


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(folder: Path) -> None:
    assert left_behind(folder) == []
    folder.parent.mkdir(exist_ok=True)
    folder.touch()

    for look in (left_behind, set_aside):
        with pytest.raises(NotADirectoryError):
            look(folder)


def test_its_name_comes_through_the_log_and_a_phone_number_does_not(folder: Path) -> None:
    name = JournalFile.create(folder).path.name

    assert masked(name) == name
    assert masked(f"{name}.refused") == f"{name}.refused"
    assert masked("441632960123.journal") == "…123.journal"
