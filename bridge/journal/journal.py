"""Accepted while Redis is away: written to this machine's disk, and handed on once Redis is back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from bridge.journal.files import JournalFile, left_behind, set_aside
from bridge.logs import get_logger

T = TypeVar("T")

log = get_logger(__name__)

# How many records are handed on at a time.
SHARE = 100
# How soon Redis is tried again while something waits for it, and how often a folder is looked through for
# files that a dead process left behind.
TRY_AGAIN_S = 0.25
LOOK_S = 5.0


class JournalFull(Exception):
    """It may hold no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What waits in a process's journal."""

    events: int = 0
    bytes: int = 0
    oldest_at_ms: int | None = None
    # Files with records that were damaged, or that Redis refuses; of all processes on this folder.
    set_aside: int = 0


# Hands records on, in this order. Returns those that will not be taken as they are, ever; raises what is in
# `away` when none may count as taken.
HandOn = Callable[[Sequence[bytes]], Awaitable[Sequence[bytes]]]


class Journal:
    """The journal of one process, in a folder that it may share with others.

    Records are written in groups: all that come while one fsync is under way share the next one. Every file
    has one owner at a time, told by a lock that ends with its holder. A record is removed only with its
    file, once all of it was handed on: what a crash repeats, the ledger knows by its fingerprint.

    Args:
        limit: how many bytes it may hold; with 0 it takes nothing, and still hands on what is there.
        away: what `hand_on` raises while nobody is there to take records.
    """

    def __init__(
        self, folder: Path, *, limit: int, hand_on: HandOn, away: tuple[type[Exception], ...]
    ) -> None:
        self._folder, self._limit, self._hand_on, self._away = folder, limit, hand_on, away
        # One thread, so that files need no locks among ourselves, and a slow disk never holds the event loop.
        self._thread = ThreadPoolExecutor(1, "journal")
        self._active: JournalFile | None = None
        # No more is written to these.
        self._sealed: list[JournalFile] = []
        self._waiting: list[tuple[bytes, int, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._some = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._failed = False
        self._set_aside = 0

    @property
    def takes_more(self) -> bool:
        """Whether the next record has a place: the limit is not reached, and the disk took the last one."""
        return self.is_on and self.depth().bytes < self._limit and not self._failed

    @property
    def is_on(self) -> bool:
        return self._limit > 0

    def depth(self) -> Depth:
        files = [*self._sealed, *([self._active] if self._active is not None else [])]
        times = [file.oldest_at_ms for file in files if file.oldest_at_ms is not None]
        return Depth(
            events=sum(file.events for file in files),
            bytes=sum(file.size for file in files),
            oldest_at_ms=min(times, default=None),
            set_aside=self._set_aside,
        )

    async def add(self, text: bytes, *, at_ms: int) -> None:
        """Returns once the record is on disk.

        Args:
            at_ms: when it came, ms since 1970.
        Raises:
            JournalFull: it holds what it may.
            OSError: the disk does not take it.
        """
        waiting = sum(len(text) for text, _, _ in self._waiting)
        if self.depth().bytes + waiting + len(text) > self._limit:
            raise JournalFull
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, at_ms, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await written

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            texts, at_ms = [text for text, _, _ in group], min(at for _, at, _ in group)
            fault: OSError | None = None
            try:
                await self._on_thread(partial(self._append, texts, at_ms))
            except OSError as error:
                log.error("the journal cannot be written", error=type(error).__name__, code=error.errno)
                fault = error
            self._failed = fault is not None
            for _, _, written in group:
                # Who asked may have gone meanwhile.
                if written.done():
                    continue
                if fault is None:
                    written.set_result(None)
                else:
                    written.set_exception(fault)
            self._some.set()
        self._writing = None

    def _append(self, texts: Sequence[bytes], at_ms: int) -> None:
        if self._active is None:
            self._active = JournalFile.create(self._folder)
        self._active.append(texts, at_ms=at_ms)

    def start(self) -> None:
        """Hand on what is there and what comes, for as long as this runs; also what dead processes left."""
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            try:
                await self._on_thread(self._adopt)
                await self.drain()
            except self._away:
                pass
            except Exception as error:
                log.error("the journal cannot be handed on, it is tried again", error=type(error).__name__)
            self._some.clear()
            if self._active is not None or self._sealed:
                await asyncio.sleep(TRY_AGAIN_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._some.wait()

    async def drain(self) -> None:
        """Hand on everything that is here now, oldest first. Raises one of `away` when it cannot be."""
        if not self._sealed and self._active is not None:
            # Asked first: a seal for each try would leave many small files.
            await self._hand_on([])
            await self._on_thread(self._seal)
        while self._sealed:
            file = self._sealed[0]
            texts, place = await self._on_thread(partial(file.read, SHARE))
            if texts:
                for refused in await self._hand_on(texts):
                    await self._on_thread(partial(file.refused, refused))
                    self._set_aside += 1
                await self._on_thread(partial(file.done, len(texts), place))
            else:
                await self._on_thread(file.drop)
                self._sealed.remove(file)
                log.info("a file of the journal is handed on and removed")

    def _seal(self) -> None:
        if self._active is not None:
            self._active.look_through()
            self._sealed.append(self._active)
            self._active = None

    def _adopt(self) -> None:
        for path in left_behind(self._folder):
            # Those of living processes, and our own, are locked.
            file = JournalFile.adopt(path)
            if file is not None:
                log.info("took over a file of the journal", events=file.events, file=path.name)
                self._sealed.append(file)
        self._sealed.sort(key=lambda file: file.path.name)
        self._set_aside = set_aside(self._folder)

    async def close(self) -> None:
        """End with everything acknowledged on disk; what was not handed on is left to the next process."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        if self._writing is not None:
            await self._writing
        await self._on_thread(self._release)
        self._thread.shutdown()

    def _release(self) -> None:
        for file in (*self._sealed, self._active):
            if file is not None:
                file.release()
        self._sealed, self._active = [], None

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
