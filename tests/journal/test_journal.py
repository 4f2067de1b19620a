"""The journal: what it takes, and what it hands on to somebody who is there or not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.journal import files
from bridge.journal.journal import Journal, JournalFull, NobodyThere
from tests.waiting import eventually


class Away(Exception):
    pass


class Taker:
    """Takes records while it is there."""

    def __init__(self) -> None:
        self.is_there = False
        self.taken: list[bytes] = []
        self.refuses: set[bytes] = set()
        self.leaves_after: int | None = None

    async def __call__(self, texts: Sequence[bytes]) -> list[bytes]:
        if not self.is_there:
            raise Away
        self.taken += [text for text in texts if text not in self.refuses]
        if self.leaves_after is not None and len(self.taken) >= self.leaves_after:
            # It has them, and its answer is lost.
            self.is_there = False
            raise Away
        return [text for text in texts if text in self.refuses]


@asynccontextmanager
async def journal(folder: Path, taker: Taker, *, limit: int = 1_000_000) -> AsyncIterator[Journal]:
    # A network's errors are a disk's as well, as far as their class tells.
    one = Journal(folder, limit=limit, hand_on=taker, away=(Away, OSError))
    try:
        yield one
    finally:
        await one.close()


def record(n: int) -> bytes:
    return b'{"at": %d}' % n


async def add(to: Journal, *numbers: int) -> None:
    await asyncio.gather(*(to.add(record(n), at_ms=n) for n in numbers))


async def until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(eventually, condition, "the journal did it")


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def it() -> None:
        await work()

    asyncio.run(it())


def test_records_are_handed_on_in_order_and_their_files_removed(tmp_path: Path) -> None:
    taker = Taker()

    async def work() -> None:
        async with journal(tmp_path, taker) as ours:
            ours.start()
            await add(ours, *range(250))
            depth = ours.depth()
            assert (depth.events, depth.oldest_at_ms) == (250, 0)
            assert depth.bytes == sum(path.stat().st_size for path in files.left_behind(tmp_path))

            taker.is_there = True
            await until(lambda: ours.depth().events == 0 and not files.left_behind(tmp_path))

            assert taker.taken == [record(n) for n in range(250)]

    run(work)


def test_records_that_come_together_share_an_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    append = files.JournalFile.append

    def counted(self: files.JournalFile, texts: Sequence[bytes], *, at_ms: int) -> None:
        groups.append(len(texts))
        append(self, texts, at_ms=at_ms)

    monkeypatch.setattr(files.JournalFile, "append", counted)

    async def work() -> None:
        async with journal(tmp_path, Taker()) as ours:
            await add(ours, *range(200))

    run(work)
    assert sum(groups) == 200
    assert len(groups) <= 2


def test_a_full_journal_takes_nothing_and_says_so_until_it_was_handed_on(tmp_path: Path) -> None:
    taker = Taker()

    async def work() -> None:
        async with journal(tmp_path, taker, limit=70) as ours:
            await add(ours, 1)
            answers = [ours.takes_more]
            await add(ours, 2)

            with pytest.raises(JournalFull):
                await add(ours, 3)

            depth = ours.depth()
            # There are some bytes left, and no record that small.
            assert depth.events == 2 and depth.bytes < 70
            answers.append(ours.takes_more)

            taker.is_there = True
            await ours.drain()
            assert [*answers, ours.takes_more] == [True, False, True]

    run(work)


def test_what_is_being_written_counts_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes, may_write = threading.Event(), threading.Event()
    append = files.JournalFile.append

    def slow(self: files.JournalFile, texts: Sequence[bytes], *, at_ms: int) -> None:
        writes.set()
        assert may_write.wait(10)
        append(self, texts, at_ms=at_ms)

    monkeypatch.setattr(files.JournalFile, "append", slow)

    async def work() -> None:
        async with journal(tmp_path, Taker(), limit=60) as ours:
            first = asyncio.create_task(add(ours, 1))
            await until(writes.is_set)
            second = asyncio.create_task(add(ours, 2))
            third = asyncio.create_task(add(ours, 3))
            with pytest.raises(JournalFull):
                await third

            may_write.set()
            await asyncio.gather(first, second)
            assert ours.depth().bytes <= 60

    run(work)


def test_a_disk_that_takes_nothing_is_told_to_who_asked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def work() -> None:
        async with journal(tmp_path / "file" / "journal", Taker()) as ours:
            with pytest.raises(OSError, match="Not a directory"):
                await add(ours, 1)
            assert not ours.takes_more

    run(work)


def test_what_a_dead_process_left_is_handed_on_by_the_next_even_with_the_journal_off(tmp_path: Path) -> None:
    taker = Taker()

    async def work() -> None:
        async with journal(tmp_path, taker) as dead:
            await add(dead, 1, 2)
        taker.is_there = True

        async with journal(tmp_path, taker, limit=0) as heir:
            heir.start()
            await until(lambda: not files.left_behind(tmp_path))

        assert taker.taken == [record(1), record(2)]

    run(work)


def test_a_living_process_takes_over_what_another_leaves_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.journal.journal.LOOK_S", 0.01)
    taker, nobody = Taker(), Taker()
    taker.is_there = True

    async def work() -> None:
        other = Journal(tmp_path, limit=1_000_000, hand_on=nobody, away=(Away,))
        async with journal(tmp_path, taker) as living:
            living.start()
            await add(other, 1)
            await add(living, 2)
            await until(lambda: taker.taken == [record(2)])

            await other.close()

            await until(lambda: taker.taken == [record(2), record(1)])

    run(work)


def test_an_answer_lost_while_handing_on_repeats_and_loses_nothing(tmp_path: Path) -> None:
    taker = Taker()
    taker.leaves_after = 100

    async def work() -> None:
        async with journal(tmp_path, taker) as ours:
            await add(ours, *range(150))
            taker.is_there = True
            with pytest.raises(NobodyThere):
                await ours.drain()
            assert ours.depth().events == 150

            taker.is_there, taker.leaves_after = True, None
            await ours.drain()

        first = [record(n) for n in range(100)]
        assert taker.taken == [*first, *first, *(record(n) for n in range(100, 150))]
        assert files.left_behind(tmp_path) == []

    run(work)


def test_a_record_that_nobody_will_take_is_kept_aside_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    taker = Taker()
    taker.is_there, taker.refuses = True, {record(2)}

    async def work() -> None:
        async with journal(tmp_path, taker) as ours:
            await add(ours, 1, 2, 3)
            await ours.drain()

            assert taker.taken == [record(1), record(3)]
            assert ours.depth().set_aside == 1

    run(work)

    # Given its old name back, it is handed on like any other.
    (aside,) = tmp_path.iterdir()
    aside.rename(tmp_path / "again.journal")
    taker.refuses = set()

    async def again() -> None:
        async with journal(tmp_path, taker) as heir:
            heir.start()
            await until(lambda: taker.taken[-1] == record(2))

    run(again)
