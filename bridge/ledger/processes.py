"""Which processes of the bridge run: each says so in Redis every few seconds, with how busy it is.

One hash for all, and one small script a beat. A process that ended without a word (`kill -9`, a machine that
is gone) is no longer listed `ALIVE_S` after its last beat, by the Redis server's clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import redis
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline

from bridge import __version__
from bridge.boundary import boundary
from bridge.ledger import keys, scripts
from bridge.ledger.facts import keep_facts
from bridge.logs import get_logger

log = get_logger(__name__)

KINDS = ("web", "worker", "clock")
BEAT_S = 4.0
ALIVE_S = 14.0
_MOST = 500
_LONGEST_HOST = 100
_LONGEST_WRONG = 500
# How often it is asked whether rules and secrets have changed, which looks at their files.
_FILES_EVERY_S = 0.3
# A stopping process waits no longer than this for its beat to end, with Redis frozen.
_STOP_WITHIN_S = 1.2

_TOLD = ("kind", "host", "pid", "command", "version", "started_at", "busy", "threads")

REPLIES = 2


class WrongFiles(NamedTuple):
    """What is wrong with the files that a process follows: the first mistake of each kind; empty: none."""

    secrets: str = ""
    accounts: str = ""


_NONE_WRONG = WrongFiles()


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of the operating system.

    Attributes:
        command: the process that somebody started; a worker of several processes has one for all of them.
        busy: how many of its threads have something to do.
        disk: bytes free and bytes in all, of the fullest disk that it uses; None where it did not say.
        rules: version of the rules that it works by; empty where it did not say.
        rules_wrong: the first mistake in its rules file, which it does not follow then.
        wrong_files: what was in force before each of them was wrong stays in force.
        reads_packed: it can read packed records (`bridge.ledger.calls.packed`).
    """

    kind: str
    host: str
    pid: int
    command: int
    version: str
    started_at: str
    seen_at: str
    busy: int
    threads: int
    disk: tuple[int, int] | None = None
    rules: str = ""
    rules_wrong: str = ""
    wrong_files: WrongFiles = _NONE_WRONG
    reads_packed: bool = False

    def shown(self) -> dict[str, Any]:
        """For programs."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in ("command", "disk", "rules", "rules_wrong", "wrong_files", "reads_packed")
        }


class Heartbeat:
    """Says that this process runs, from a thread of its own, until `stop`.

    Args:
        busy: how many of the threads have something to do.
        command: the process that somebody started, asked in the running process.
        folders: where it writes: how full these disks are is reported too.
        facts: what else this process has seen; sent where it changed (`bridge.ledger.facts`).
        rules: version of the rules in force, and what is wrong with their file.
        files: looks at the files of secrets and accounts, and tells what is wrong with them.
    """

    def __init__(
        self,
        client: redis.Redis,
        kind: str,
        *,
        threads: int = 1,
        busy: Callable[[], int] = lambda: 0,
        command: Callable[[], int] = os.getpid,
        folders: Sequence[Path] = (),
        facts: Callable[[], Mapping[str, float]] = dict,
        rules: Callable[[], tuple[str, str]] = lambda: ("", ""),
        files: Callable[[], WrongFiles] = WrongFiles,
    ) -> None:
        self._redis, self._kind, self._threads, self._busy = client, kind, threads, busy
        self._folders, self._command, self._facts, self._rules = folders, command, facts, rules
        self._told_facts: Mapping[str, float] = {}
        self._script = client.register_script(scripts.source("beat"))
        self._told: dict[str, Any] = {}
        self._files = files
        self._beaten = ("", "", _NONE_WRONG)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        return f"{self._kind}:{self._told['host']}:{self._told['pid']}"

    def start(self) -> None:
        """Begin; the first beat is sent at once."""
        self._told = {
            "kind": self._kind,
            "host": this_host(),
            "pid": os.getpid(),
            "command": self._command(),
            "version": __version__,
            "started_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "threads": self._threads,
            "reads_packed": True,
        }
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Say it once."""
        version, wrong, files = self._beaten = self._read_files()
        description = json.dumps(
            {
                **self._told,
                "busy": self._busy(),
                "disk": fullest_disk(self._folders),
                "rules": version,
                "rules_wrong": wrong[:_LONGEST_WRONG],
                "secrets_wrong": files.secrets[:_LONGEST_WRONG],
                "accounts_wrong": files.accounts[:_LONGEST_WRONG],
            }
        )
        with boundary("processes.beat"):
            self._script(keys=[keys.PROCESSES], args=[self.name, description, round(ALIVE_S * 1000), _MOST])
        facts = dict(self._facts())
        if facts and facts != self._told_facts:
            keep_facts(self._redis, facts)
            self._told_facts = facts

    def stop(self) -> None:
        """End; the process is no longer listed, if Redis can be reached."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_WITHIN_S)

    def _run(self) -> None:
        failing = False
        while not self._stop.is_set():
            try:
                self.beat()
                failing = False
            except Exception as error:  # whatever it is: the process goes on, and tries again
                if not failing:
                    log.debug("heartbeat not stored", error=type(error).__name__)
                failing = True
            self._pause(BEAT_S / 4 if failing else BEAT_S)
        if not failing:
            self._end()

    def _pause(self, seconds: float) -> None:
        """Until the next beat; new rules, and what is wrong with files, are told of at once."""
        ends = time.monotonic() + seconds
        while not self._stop.wait(min(_FILES_EVERY_S, max(0.0, ends - time.monotonic()))):
            if time.monotonic() >= ends or self._read_files() != self._beaten:
                return

    def _read_files(self) -> tuple[str, str, WrongFiles]:
        return (*self._rules(), self._files())

    def _end(self) -> None:
        try:
            with boundary("processes.end"):
                self._redis.hdel(keys.PROCESSES, self.name)
        except (redis.RedisError, OSError) as error:
            log.debug("process end not stored", error=type(error).__name__)


def this_host() -> str:
    """The name that processes of this machine, or of this container, report."""
    return socket.gethostname()[:_LONGEST_HOST]


def fullest_disk(folders: Iterable[Path]) -> tuple[int, int] | None:
    """Bytes that are free and bytes in all, where the least part is free; None where no folder is there."""
    found = []
    for folder in folders:
        with contextlib.suppress(OSError):
            usage = shutil.disk_usage(folder)
            found.append((usage.free, usage.total))
    return min(found, key=lambda one: one[0] / max(1, one[1]), default=None)


def ask(pipe: Pipeline | AsyncPipeline) -> None:
    """Ask which processes run; `read` takes the `REPLIES` replies."""
    pipe.hgetall(keys.PROCESSES)
    pipe.time()


def read(replies: list[Any]) -> list[Process]:
    entries, (seconds, micros) = cast(tuple[Mapping[str, str], tuple[int, int]], tuple(replies))
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    found = []
    for text in entries.values():
        seen_ms, _, description = text.partition(" ")
        if now_ms - int(seen_ms) > ALIVE_S * 1000:
            continue
        seen_at = datetime.fromtimestamp(int(seen_ms) / 1000, UTC).isoformat(timespec="milliseconds")
        body = json.loads(description)
        # Another version may tell more.
        known = {name: body[name] for name in _TOLD if name in body}
        if len(known) == len(_TOLD) and known["kind"] in KINDS:
            disk = body.get("disk")
            found.append(
                Process(
                    **known,
                    seen_at=seen_at,
                    disk=(disk[0], disk[1]) if disk else None,
                    rules=body.get("rules") or "",
                    rules_wrong=body.get("rules_wrong") or "",
                    wrong_files=WrongFiles(
                        secrets=body.get("secrets_wrong") or "", accounts=body.get("accounts_wrong") or ""
                    ),
                    reads_packed=bool(body.get("reads_packed")),
                )
            )
    return sorted(found, key=lambda one: (KINDS.index(one.kind), one.host, one.pid))


def processes(client: redis.Redis) -> list[Process]:
    """Those that run now: web first, then workers and clocks."""
    # They are of the deployment; in a cluster an account may be on another server.
    pipe = getattr(client, "of_deployment", client).pipeline(transaction=False)
    ask(pipe)
    with boundary("processes.list"):
        return read(pipe.execute())


def commands_of(found: Iterable[Process]) -> dict[str, int]:
    """How many of each kind were started: a worker of several processes counts once."""
    counted = Counter(kind for kind, _, _ in {(one.kind, one.host, one.command) for one in found})
    return {kind: counted[kind] for kind in KINDS}


def missing(found: Iterable[Process]) -> list[str]:
    """What should run and does not, in words."""
    return [f"no {kind} runs" for kind, count in commands_of(found).items() if not count]
