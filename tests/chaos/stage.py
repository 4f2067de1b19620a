"""The house on bad ground: processes that can be killed at any rate, bad wires, and clocks that step."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge.ledger.scripted import LEASE_MS
from tests.chaos.house import House, Process
from tests.chaos.stepped import write_offset
from tests.chaos.wires import Wires, tcp, unix
from tests.processes import end, start

_AT_WORK = {"web": b"Uvicorn running", "worker": b"worker started", "clock": b"clock started"}


class Nursery:
    """Context manager: the process that children are forked from; see `nursery`."""

    def __enter__(self) -> Nursery:
        self._lock = threading.Lock()
        self._process = start(
            [sys.executable, "-m", "tests.chaos.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)

    def ask(self, **what: Any) -> int:
        assert self._process.stdin and self._process.stdout
        with self._lock:
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())


class Child(Process):
    """One `callbridge` process out of a nursery."""

    def __init__(
        self, nursery: Nursery, name: str, environ: Mapping[str, str], *, log: Path, clock: Path
    ) -> None:
        super().__init__(name, environ, log)
        self._nursery = nursery
        self._wanted = {"command": name, "environ": dict(environ), "log": str(log), "clock": str(clock)}
        self._pid: int | None = None

    def start(self) -> None:
        self._said = self._log.stat().st_size if self._log.exists() else 0
        self._pid = self._nursery.ask(do="start", **self._wanted)

    @property
    def up(self) -> bool:
        """Whether it has said that it is at work."""
        with self._log.open("rb") as log:
            log.seek(self._said)
            return _AT_WORK[self.name] in log.read()

    @property
    def pid(self) -> int | None:
        return self._pid

    def send(self, how: signal.Signals) -> None:
        assert self._pid is not None
        os.kill(self._pid, how)

    def end(self, how: signal.Signals) -> int:
        code = self._nursery.ask(do="end", pid=self._pid, signal=int(how))
        self._pid = None
        return code

    def close(self) -> None:
        if self.alive:
            self.end(signal.SIGKILL)

    @property
    def alive(self) -> bool:
        """As far as we ended it: a process that ends by itself is found by what it no longer does."""
        return self._pid is not None


class Stage(House):
    """Web, workers, clock, and between them and everything else wires that can be made bad."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int,
        seed: int,
        reconcile_every_s: float = 0,
        on_disk: bool = False,
        rules: str = "",
    ) -> None:
        """Args: rules: the text of their file; empty: the default ones."""
        settings = {"RECONCILE_EVERY_S": str(reconcile_every_s)}
        if rules:
            file = folder / "rules.toml"
            file.write_text(rules, "utf-8")
            settings["CALLBRIDGE_RULES"] = str(file)
        super().__init__(folder, workers=workers, also=("clock",), settings=settings, on_disk=on_disk)
        self._seed = seed
        self._offsets: dict[str, float] = {}

    def __enter__(self) -> Stage:
        super().__enter__()
        return self

    def _start(self) -> None:
        self._nursery = self._ending.enter_context(Nursery())
        super()._start()

    def addresses(self) -> dict[str, str]:
        # A service that is reached through Membrane is named to Membrane by its own address.
        services = {"cloudtalk": self.sandbox.cloudtalk.url, "kustomer": self.sandbox.kustomer.url}
        urls = {name: url for name, url in services.items() if name not in self._through}
        if self._through:
            urls["membrane"] = self.sandbox.membrane.url
        to = {name: tcp(int(url.rpartition(":")[2])) for name, url in urls.items()}
        redis = unix(lambda: str(self.server.socket_path))
        self.wires = self._ending.enter_context(Wires({"redis": redis, **to}, seed=self._seed))
        found = self.sandbox.environ(through_membrane=self._through)
        for name, url in urls.items():
            wired = f"http://127.0.0.1:{self.wires[name].port}"
            found = {setting: value.replace(url, wired) for setting, value in found.items()}
        return {
            **found,
            "REDIS_URL": f"redis://127.0.0.1:{self.wires['redis'].port}/0",
        }

    def process(self, command: str, name: str, environ: Mapping[str, str]) -> Child:
        self._offsets[name] = 0.0
        write_offset(self._offset_file(name), 0.0)
        log = self.folder / f"{name}.log"
        return Child(self._nursery, command, environ, log=log, clock=self._offset_file(name))

    def named(self, name: str) -> Child:
        found = {
            "web": self.web,
            **{f"worker{n}": worker for n, worker in enumerate(self.workers)},
            **{other.name: other for other in self.others},
        }[name]
        assert isinstance(found, Child)
        return found

    def leases_lost(self, name: str) -> int:
        """How many of its runs a worker, and those before it under that name, ended for a lost lease.

        A run shorter than a lease cannot have lost it: its own end was sent twice, as the reply got lost.
        """
        log = self.folder / f"{name}.log"
        lines = log.read_bytes().splitlines() if log.exists() else []
        ends = [json.loads(line) for line in lines if b'"outcome": "lost"' in line and line.endswith(b"}")]
        return sum(end["ms"] >= LEASE_MS for end in ends)

    def step_clock(self, name: str, seconds: float) -> None:
        """Move a process's wall clock, and that of those who start in its place."""
        self._offsets[name] += seconds
        write_offset(self._offset_file(name), self._offsets[name])

    def _offset_file(self, name: str) -> Path:
        return self.folder / f"{name}.clock"
