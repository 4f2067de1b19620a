"""A disk that does not give a file, or takes no more: told once, and no reason for the others to wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.journal import files
from tests.journal.test_journal import Taker, add, journal, record, run, until


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.journal.journal.LOOK_S", 0.01)


@pytest.fixture
def lines() -> Iterator[Sequence[Mapping[str, Any]]]:
    """What is logged."""
    with capture_logs() as found:
        yield found


def errors(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(line["file"], line["reason"]) for line in lines if line["log_level"] == "error"]


def test_a_file_that_cannot_be_opened_holds_up_no_other_and_is_told_once(
    tmp_path: Path, lines: Sequence[Mapping[str, Any]]
) -> None:
    taker = Taker()
    unreadable = tmp_path / "00000000000000000001-1.journal"
    unreadable.mkdir()

    async def work() -> None:
        async with journal(tmp_path, taker) as ours:
            ours.start()
            await add(ours, 1, 2, 3)
            taker.is_there = True

            await until(lambda: taker.taken == [record(1), record(2), record(3)])
            await until(lambda: files.left_behind(tmp_path) == [unreadable])
            assert (ours.depth().events, ours.depth().stuck) == (0, 1)

            unreadable.rmdir()
            await until(lambda: ours.depth().stuck == 0)

    run(work)
    assert errors(lines) == [(unreadable.name, "Is a directory")]


def test_a_file_that_cannot_be_opened_is_handed_on_once_it_can(tmp_path: Path) -> None:
    taker = Taker()
    taker.is_there = True
    unreadable = tmp_path / "1.journal"
    unreadable.mkdir()

    async def work() -> None:
        async with journal(tmp_path / "dead", taker) as dead:
            await add(dead, 1)
        (left,) = files.left_behind(tmp_path / "dead")
        async with journal(tmp_path, taker) as ours:
            ours.start()
            await until(lambda: ours.depth().stuck == 1)

            unreadable.rmdir()
            left.rename(unreadable)

            await until(lambda: taker.taken == [record(1)] and ours.depth().stuck == 0)

    run(work)


def test_a_file_that_the_disk_stops_giving_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Sequence[Mapping[str, Any]]
) -> None:
    taker = Taker()
    broken: set[Path] = set()
    read = files.JournalFile.read

    def failing(self: files.JournalFile, most: int) -> tuple[list[bytes], int]:
        if self.path in broken:
            raise OSError(5, "Input/output error")
        return read(self, most)

    monkeypatch.setattr(files.JournalFile, "read", failing)

    async def work() -> None:
        async with journal(tmp_path, taker) as dead:
            await add(dead, 1)
        broken.update(files.left_behind(tmp_path))
        async with journal(tmp_path, taker) as ours:
            ours.start()
            await add(ours, 2)
            taker.is_there = True

            await until(lambda: taker.taken == [record(2)] and ours.depth().stuck == 1)
            assert ours.depth().events == 1

            broken.clear()
            await until(lambda: taker.taken == [record(2), record(1)])
            await until(lambda: files.left_behind(tmp_path) == [] and ours.depth().stuck == 0)

    run(work)
    assert [reason for _, reason in errors(lines)] == ["Input/output error"]


def test_what_cannot_be_kept_aside_holds_up_nothing_and_is_handed_on_once(tmp_path: Path) -> None:
    taker = Taker()
    taker.refuses = {record(2)}

    async def work() -> None:
        async with journal(tmp_path, taker) as dead:
            await add(dead, 1, 2)
        (left,) = files.left_behind(tmp_path)
        in_the_way = left.with_name(f"{left.name}.refused")
        in_the_way.mkdir()
        async with journal(tmp_path, taker) as ours:
            ours.start()
            await add(ours, 3)
            taker.is_there = True

            await until(lambda: taker.taken == [record(1), record(3)] and ours.depth().stuck == 1)
            # It stays where it was, to be kept aside later.
            assert left.exists()

            in_the_way.rmdir()
            await until(lambda: ours.depth().stuck == 0 and ours.depth().set_aside == 1)

    run(work)

    assert taker.taken == [record(1), record(3)]
    (aside,) = tmp_path.iterdir()
    assert aside.suffix == ".refused" and b'{"at": 2}' in aside.read_bytes()


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    folder = tmp_path / "journal"
    folder.touch()

    async def work() -> None:
        async with journal(folder, Taker(), limit=0) as ours:
            ours.start()
            await until(lambda: ours.depth().stuck == 1)

    run(work)
    assert errors(lines) == [("journal", "Not a directory")]
