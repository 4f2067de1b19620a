"""Accepted while Redis is away: written to this machine's disk, and handed on once Redis is back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from bridge.journal.erasing import delete_old_aside
from bridge.journal.files import JournalFile, left_behind, set_aside
from bridge.journal.lines import size_of
from bridge.logs import get_logger

T = TypeVar("T")

log = get_logger(__name__)

# How many records are handed on at a time.
SHARE = 100
# How soon Redis is tried again while something waits for it, and how often a folder is looked through for
# files that a dead process left behind, and a file tried again that the disk did not give.
TRY_AGAIN_S = 0.25
LOOK_S = 5.0


class JournalFull(Exception):
    """It may hold no more."""


class NobodyThere(Exception):
    """Nobody takes records now. Its cause says who was not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What waits in a process's journal."""

    events: int = 0
    bytes: int = 0
    oldest_at_ms: int | None = None
    # Files with records that were damaged, or that Redis refuses; of all processes on this folder.
    set_aside: int = 0
    # Files that cannot be read, or not be removed; the log names them.
    stuck: int = 0


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What keeps a file from being handed on, and when it is tried again (of `time.monotonic`)."""

    reason: str
    again_at: float


# Hands records on, in this order. Returns those that will not be taken as they are, ever; raises what is in
# `away` when none may count as taken.
HandOn = Callable[[Sequence[bytes]], Awaitable[Sequence[bytes]]]


class Journal:
    """The journal of one process, in a folder that it may share with others.

    Records are written in groups: all that come while one fsync is under way share the next one. Every file
    has one owner at a time, marked by a lock that ends with its holder. A record is removed only with its
    file, once all of it was handed on: what a crash repeats, the ledger knows by its fingerprint.

    Oldest first, unless a file cannot be read: the others do not wait for it, as each record tells when it
    came, and nobody needs an order beyond that.

    Args:
        limit: how many bytes it may hold; with 0 it takes nothing, and still hands on what is there.
        away: what `hand_on` raises while nobody is there to take records.
        keep_aside_s: how long records that nobody takes are kept for a person to look at.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit: int,
        hand_on: HandOn,
        away: tuple[type[Exception], ...],
        keep_aside_s: float = 30 * 86_400,
    ) -> None:
        self._keep_aside_s = keep_aside_s
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
        # Bytes of the records that are not on disk yet.
        self._to_write = 0
        # What a record needs that had no place; at first anything.
        self._wanted = 1
        self._set_aside = 0
        self._troubles: dict[Path, _Trouble] = {}

    @property
    def takes_more(self) -> bool:
        """Whether the next record has a place, also one as large as the last that had none."""
        return self.is_on and not self._failed and self._has_place_for(self._wanted)

    @property
    def is_on(self) -> bool:
        return self._limit > 0

    @property
    def obstacle(self) -> str:
        """Why it takes no more, while it is on; empty while it does."""
        if not self.is_on or self.takes_more:
            return ""
        return "the disk of the journal takes no more" if self._failed else "the journal is full"

    def depth(self) -> Depth:
        files = [*self._sealed, *([self._active] if self._active is not None else [])]
        times = [file.oldest_at_ms for file in files if file.oldest_at_ms is not None]
        return Depth(
            events=sum(file.events for file in files),
            bytes=sum(file.size for file in files),
            oldest_at_ms=min(times, default=None),
            set_aside=self._set_aside,
            stuck=len(self._troubles),
        )

    def _has_place_for(self, size: int) -> bool:
        return self.depth().bytes + self._to_write + size <= self._limit

    async def add(self, text: bytes, *, at_ms: int) -> None:
        """Returns once the record is on disk.

        Args:
            at_ms: when it came, ms since 1970.
        Raises:
            JournalFull: it holds what it may.
            OSError: the disk does not take it.
        """
        size = size_of(text)
        if not self._has_place_for(size):
            # What is larger than all it may hold will never have one, and says nothing about the others.
            self._wanted = min(size, self._limit)
            raise JournalFull
        self._to_write += size
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
                log.error("journal cannot be written", error=type(error).__name__, code=error.errno)
                fault = error
            self._failed = fault is not None
            self._to_write -= sum(map(size_of, texts))
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
            except NobodyThere:
                pass
            except Exception as error:
                log.error("journal replay failed, will be retried", error=type(error).__name__)
            self._some.clear()
            if self._active is not None or any(file.path not in self._troubles for file in self._sealed):
                await asyncio.sleep(TRY_AGAIN_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._some.wait()

    async def drain(self) -> None:
        """Hand on everything that is here now, oldest first, save what the disk does not give.

        Raises:
            NobodyThere: the rest waits until somebody is.
        """
        for file in list(self._sealed):
            await self._empty(file)
        if self._active is not None:
            # Asked first: a seal for each try would leave many small files.
            await self._give([])
            await self._on_thread(self._seal)
            await self._empty(self._sealed[-1])

    async def _empty(self, file: JournalFile) -> None:
        if self._rests(file.path):
            return
        with self._alone(file.path):
            while True:
                texts, place = await self._on_thread(partial(file.read, SHARE))
                if not texts:
                    break
                refused = await self._give(texts)
                await self._on_thread(partial(file.done, len(texts), place, refused=refused))
            await self._on_thread(file.drop)
            self._sealed.remove(file)
            log.info("journal file replayed and removed", file=file.path.name)
            self._set_aside = await self._on_thread(partial(set_aside, self._folder))

    async def _give(self, texts: Sequence[bytes]) -> Sequence[bytes]:
        # Only here: what the disk raises may be of the same classes as what a broken connection does.
        try:
            return await self._hand_on(texts)
        except self._away as error:
            raise NobodyThere from error

    @contextlib.contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """A fault in one file is logged once and does not stop the others."""
        try:
            yield
        except NobodyThere:
            self._troubles.pop(path, None)
            raise
        except Exception as error:
            reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            before = self._troubles.get(path)
            self._troubles[path] = _Trouble(reason, time.monotonic() + LOOK_S)
            if before is None or before.reason != reason:
                log.error(
                    "journal file cannot be replayed, will be retried; other files continue",
                    file=path.name,
                    reason=reason,
                )
        else:
            self._troubles.pop(path, None)

    def _rests(self, path: Path) -> bool:
        trouble = self._troubles.get(path)
        return trouble is not None and time.monotonic() < trouble.again_at

    def _seal(self) -> None:
        if self._active is not None:
            self._sealed.append(self._active)
            self._active = None

    def _adopt(self) -> None:
        paths: list[Path] = []
        with self._alone(self._folder):
            paths = left_behind(self._folder)
            if old := delete_old_aside(self._folder, older_than_s=self._keep_aside_s):
                log.warning("journal files set aside have expired and are deleted", count=old)
            self._set_aside = set_aside(self._folder)
        ours = {file.path for file in (*self._sealed, self._active) if file is not None}
        for path in set(self._troubles) - {self._folder, *ours, *paths}:
            del self._troubles[path]
        for path in paths:
            if path in ours or self._rests(path):
                continue
            with self._alone(path):
                # Those of living processes are locked.
                file = JournalFile.adopt(path)
                if file is not None:
                    log.info("journal file of another process adopted", events=file.events, file=path.name)
                    self._sealed.append(file)
        self._sealed.sort(key=lambda file: file.path.name)

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
