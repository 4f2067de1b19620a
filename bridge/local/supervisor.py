"""Starts the bridge's programs as child processes, watches them, and ends them in order."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import IO, Literal, Protocol

from bridge.plain import plain

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
# A program that ran this long was well; its next restart is quick again.
LASTING_RUN_S = 30.0
# Open pages must not use up the time that running jobs may need to end well.
WEB_GRACE_S = 5.0
GRACE_S = 25.0

_PR_SET_PDEATHSIG = 1
# Looked up before any fork: loading a library between fork and exec can deadlock.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def dying_with_parent() -> Callable[[], None]:
    """What a child does before it becomes its program: ask to be killed when this process dies.

    Linux sends the signal when the *thread* that forked ends, so start children in the main thread.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # it died before we could ask
                os._exit(1)

    return before_exec


class Speaker:
    """Writes whole lines to one stream, each under the name of who says it."""

    COLOURS: Mapping[str, str] = {
        "up": "1", "redis": "31", "sandbox": "35", "web": "34", "worker": "32", "clock": "36",
    }  # fmt: skip

    def __init__(self, stream: IO[bytes], *, colour: bool) -> None:
        self._stream = stream
        self._colour = colour
        self._lock = threading.Lock()

    def say(self, name: str, line: str | bytes) -> None:
        text = line.encode() if isinstance(line, str) else line
        head = f"{name:<7} | "
        if self._colour:
            head = f"\x1b[{self.COLOURS.get(name, '0')}m{head}\x1b[0m"
        # A closed terminal must not stop what runs, nor the pipes from being emptied.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(head.encode() + text.rstrip(b"\r\n") + b"\n")
            self._stream.flush()


class Watched(Protocol):
    """What the supervisor keeps running."""

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    def start(self) -> None: ...
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal that ended it, as `Popen` has it."""

    def ask_to_end(self) -> None: ...
    def kill(self) -> None: ...


class Child:
    """A program in a session of its own: Ctrl-C on the terminal reaches only the supervisor."""

    def __init__(
        self, name: str, argv: Sequence[str], *, environ: Mapping[str, str], speaker: Speaker
    ) -> None:
        self.name = name
        self._argv = list(argv)
        self._environ = dict(environ)
        self._speaker = speaker
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it, from the main thread only (see `dying_with_parent`)."""
        self._process = subprocess.Popen(
            self._argv,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Nothing is locked by the threads at hand, which only pass lines on.
            preexec_fn=dying_with_parent(),
        )
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        self._reader = threading.Thread(target=self._pass_on, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _pass_on(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._speaker.say(self.name, plain(line.decode(errors="replace").rstrip("\r\n")))

    def exit_code(self) -> int | None:
        return 0 if self._process is None else self._process.poll()

    def ask_to_end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it and all that it started."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # Its last lines; not for long, as somebody else may still hold the other end of the pipe.
        if self._reader is not None:
            self._reader.join(0.5)


@dataclass(slots=True)
class _Watch:
    what: Watched
    started_at_s: float
    pause_s: float = FIRST_PAUSE_S
    due_at_s: float | None = None


End = Literal["asked", "done", "refused", "late"]


@dataclass(slots=True)
class Supervisor:
    """Keeps what it was given running until somebody asks it to stop.

    Everything happens in the main thread: signals arrive there, and children must be forked there.
    """

    speaker: Speaker
    now: Callable[[], float] = time.monotonic
    # Called after each start: the processes are others now.
    changed: Callable[[], None] = lambda: None
    stop_requested: bool = False
    _watches: list[_Watch] = field(default_factory=list)
    _wake_read: int = -1
    _wake_write: int = -1

    def __enter__(self) -> Supervisor:
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        # Under nohup it is ignored, and is to stay so.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._on_signal)
        # Only to be woken: a child's end is then seen at once.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.stop_requested:
            self.stop_requested = True
            return
        # Nothing here may take a lock: the handler runs in the middle of whatever holds one.
        os.write(2, b"asked twice: killing everything at once\n")
        for watch in self._watches:
            if watch.what.pid is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(watch.what.pid, signal.SIGKILL)
        os._exit(130)

    def start(self, what: Watched, *, later: tuple[type[Exception], ...] = ()) -> None:
        """Start and watch it. What it needs has to be started before it.

        Args:
            later: errors after which it is tried again, as when it died.
        """
        watch = _Watch(what, started_at_s=self.now())
        try:
            what.start()
        except later as error:
            self._try_later(watch, f"{what.name} did not start: {error}")
        self._watches.append(watch)
        self.changed()

    def pids(self) -> list[int]:
        """The processes that were started last, one a program."""
        return [watch.what.pid for watch in self._watches if watch.what.pid is not None]

    def watch(self, *, until: Callable[[], bool] = lambda: False, timeout_s: float | None = None) -> End:
        """Restart what dies, until asked to stop or `until` is true.

        While it waits for `until`, a program that ends with code 2 (wrong settings) is not tried
        again: it has said what to mend.
        """
        starting = timeout_s is not None
        deadline = None if timeout_s is None else self.now() + timeout_s
        while not self.stop_requested:
            if until():
                return "done"
            if deadline is not None and self.now() > deadline:
                return "late"
            if self.tend(starting=starting):
                return "refused"
            self._sleep(0.05 if starting else self._next_due_in_s())
        return "asked"

    def tend(self, *, starting: bool = False) -> bool:
        """Look at each program once, and start again what is due; true when one refused its settings."""
        refused = False
        for watch in self._watches:
            refused |= self._look_after(watch, starting=starting)
        return refused

    def _look_after(self, watch: _Watch, *, starting: bool) -> bool:
        now = self.now()
        if watch.due_at_s is None:
            code = watch.what.exit_code()
            if code is None:
                return False
            if starting and code == 2:
                return True
            if now - watch.started_at_s >= LASTING_RUN_S:
                watch.pause_s = FIRST_PAUSE_S
            self._try_later(watch, f"{watch.what.name} ended ({_how(code)})")
        if watch.due_at_s is not None and watch.due_at_s <= now:
            watch.due_at_s = None
            watch.started_at_s = now
            try:
                watch.what.start()
            except Exception as error:
                self._try_later(watch, f"{watch.what.name} did not start: {error}")
            self.changed()
        return False

    def _try_later(self, watch: _Watch, why: str) -> None:
        """Each pause is longer than the one before it."""
        watch.due_at_s = self.now() + watch.pause_s
        self.speaker.say("up", f"{why}; restarting in {watch.pause_s:.1f} s")
        watch.pause_s = min(watch.pause_s * 2, LONGEST_PAUSE_S)

    def _next_due_in_s(self) -> float | None:
        due = [watch.due_at_s for watch in self._watches if watch.due_at_s is not None]
        return max(0.0, min(due) - self.now()) if due else None

    def _sleep(self, timeout_s: float | None) -> None:
        select.select([self._wake_read], [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 512):
                pass

    def stop(self, *, first: str = "web", last: Iterable[str] = ("sandbox", "redis")) -> None:
        """End everything: `first` alone, then the rest, then `last` one after the other."""
        began = self.now()
        lasting = list(last)
        watches = {watch.what.name: watch.what for watch in self._watches}
        working = [what for name, what in watches.items() if name not in lasting]
        for what in working:
            if what.name == first:
                what.ask_to_end()
                self._wait_for([what], began + WEB_GRACE_S)
        for what in working:
            what.ask_to_end()
        self._end(working, began + GRACE_S)
        for name in lasting:
            if name in watches:
                watches[name].ask_to_end()
                self._end([watches[name]], self.now() + 10)

    def _end(self, these: Sequence[Watched], deadline: float) -> None:
        self._wait_for(these, deadline)
        for what in these:
            if what.exit_code() is None:
                self.speaker.say("up", f"{what.name} did not stop in time; killed, its work will be retried")
            # Also when it ended well: it may have left something in its session.
            what.kill()

    def _wait_for(self, these: Sequence[Watched], deadline: float) -> None:
        while any(what.exit_code() is None for what in these) and self.now() < deadline:
            self._sleep(min(0.2, max(0.0, deadline - self.now())))


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
