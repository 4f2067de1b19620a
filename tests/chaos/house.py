"""A bridge of real processes that a test may kill; the two services run in the test itself.

With TEST_THROUGH_MEMBRANE=cloudtalk,kustomer it reaches them through Membrane. With TEST_DISCONNECT_S=10
their connections are down for so long, too, from its tenth webhook on: for any test, without a change to it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2
import redis

from bridge.ledger.connect import connect
from bridge.ledger.keys import WAKE
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis, Fsync
from bridge.sandbox.running import RunningSandbox
from tests.processes import end, start
from tests.reaper import MEMORY, folder_in_memory
from tests.support import THROUGH_MEMBRANE
from tests.waiting import eventually

TOKEN = "chaos-token-of-this-test"
DISCONNECT_S = float(os.environ.get("TEST_DISCONNECT_S", "0"))
# By then calls are under way.
_DISCONNECT_AT = 10
# Where Redis' file is written without a disk: a SIGKILL, which is what these tests try, takes none of it
# along, and a test does not last as long as the disk of its machine likes.
_ROOM_BYTES = 2 * 1024**3


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Process:
    """One `callbridge` process; its output goes to a file."""

    def __init__(self, name: str, environ: Mapping[str, str], log: Path) -> None:
        self.name, self._environ, self._log = name, environ, log
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as out:
            command = [sys.executable, "-m", "bridge", self.name]
            self.popen = start(command, env=self._environ, stdout=out, stderr=out)

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def send(self, how: signal.Signals) -> None:
        assert self.popen is not None
        self.popen.send_signal(how)

    def end(self, how: signal.Signals) -> int:
        self.send(how)
        assert self.popen is not None
        return self.popen.wait(30)

    def close(self) -> None:
        if self.popen is not None:
            end(self.popen)


class House:
    """Context manager: everything runs inside it, and its logs stay in `folder`.

    Args:
        also: further commands to run, such as `clock`.
        settings: of all processes.
        on_disk: Redis' file is in `folder` and stays there; else in memory, if the machine has such a place.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        also: Sequence[str] = (),
        signing_secret: str = "",
        settings: Mapping[str, str] | None = None,
        appendfsync: Fsync = "always",
        through_membrane: Collection[str] = THROUGH_MEMBRANE,
        on_disk: bool = False,
    ) -> None:
        self.folder = folder
        self.sandbox = RunningSandbox()
        self._on_disk = on_disk
        self._appendfsync = appendfsync
        self._workers, self._also = workers, also
        self._signing_secret = signing_secret
        self._settings = settings or {}
        self._through = through_membrane
        self._posted = 0
        self._disconnecting: threading.Thread | None = None

    def __enter__(self) -> House:
        with contextlib.ExitStack() as self._ending:
            self._start()
            # A start that fails ends what it started; else that lasts as long as the house.
            self._ending = self._ending.pop_all()
        return self

    def _start(self) -> None:
        self._ending.enter_context(self.sandbox)
        self.sandbox.kustomer.limit(1_000_000)
        self.sandbox.cloudtalk.limit(1_000_000)
        self.sandbox.membrane.limit(10_000_000)
        self.redis_url = self._start_server()
        self.client: redis.Redis = connect(self.redis_url, patience=30)
        self._ending.callback(self.client.close)
        self.ledger = Ledger(self.client)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environ = self.environ = {
            **os.environ,
            **self.addresses(),
            "MEMBRANE_CHECK_EVERY_S": "0.5",
            "DATA_DIR": str(self.folder / "data"),
            "WEBHOOK_TOKENS": TOKEN,
            "OPS_TOKEN": TOKEN,
            "WEBHOOK_SIGNING_SECRETS": self._signing_secret,
            "PORT": str(self.port),
            "KUSTOMER_REQUESTS_PER_MINUTE": "1000000",
            "CLOUDTALK_REQUESTS_PER_MINUTE": "1000000",
            "LOG_FORMAT": "json",
            **self._settings,
        }
        self.web = self.process("web", "web", environ)
        self.workers = [self.process("worker", f"worker{n}", environ) for n in range(self._workers)]
        self.others = [self.process(name, name, environ) for name in self._also]
        self.http = httpx2.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {TOKEN}"},
            timeout=10,
            event_hooks={"response": [self._count]},
        )
        self._ending.callback(self.http.close)
        for process in (self.web, *self.workers, *self.others):
            process.start()
            self._ending.callback(process.close)
        eventually(self.ready, "the web process is ready", within_s=30, every_s=0.05)

    def _start_server(self) -> str:
        """Start Redis, and have it ended with the house; returns its address."""
        self.server = EmbeddedRedis(self._server_folder(), appendfsync=self._appendfsync)
        self.server.start()
        self._ending.callback(self.server.stop)
        return self.server.url

    def _server_folder(self) -> Path:
        if self._on_disk or not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < _ROOM_BYTES:
            return self.folder
        return Path(self._ending.enter_context(folder_in_memory()))

    def addresses(self) -> dict[str, str]:
        """The settings that say where Redis and the two services are."""
        return {**self.sandbox.environ(through_membrane=self._through), "REDIS_URL": self.redis_url}

    def process(self, command: str, name: str, environ: Mapping[str, str]) -> Process:
        return Process(command, environ, self.folder / f"{name}.log")

    def ready(self) -> bool:
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx2.HTTPError:
            return False

    def listening(self) -> int:
        """How many workers are up."""
        return int(self.client.pubsub_numsub(WAKE)[0][1])

    def post(self, trigger: str, body: Mapping[str, Any]) -> httpx2.Response:
        """Deliver a webhook, again until it is taken: as the promise is about what was answered 2xx."""

        def deliver() -> httpx2.Response | None:
            try:
                response = self.http.post(f"/webhooks/cloudtalk/{trigger}", json=body)
            except httpx2.HTTPError:
                return None
            return response if response.status_code < 300 else None

        taken = eventually(deliver, f"{trigger} is accepted", within_s=30, every_s=0.1)
        assert taken is not None
        return taken

    def _count(self, response: httpx2.Response) -> None:
        self._posted += response.request.method == "POST" and response.status_code < 300
        if self._posted >= _DISCONNECT_AT and DISCONNECT_S and not self._disconnecting:
            self._disconnecting = threading.Thread(target=self._disconnect_for_a_while)
            self._disconnecting.start()

    def _disconnect_for_a_while(self) -> None:
        for service in self._through:
            self.sandbox.membrane.disconnect(service)
        threading.Event().wait(DISCONNECT_S)
        for service in self._through:
            self.sandbox.membrane.reconnect(service)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._disconnecting is not None:
            self._disconnecting.join()
        self._ending.close()

    def logs(self) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self.folder.glob("*.log")))
