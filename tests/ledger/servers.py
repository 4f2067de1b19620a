"""Servers of a test's own, with the settings that matter to what an answer promises."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bridge.ledger.connect import connect
from bridge.local.embedded import find_server
from tests.processes import end, start
from tests.waiting import eventually


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def rewriting(client: redis.Redis) -> bool:
    state = client.info("persistence")
    return bool(state["aof_rewrite_in_progress"] or state["aof_rewrite_scheduled"])


def never_syncs(client: redis.Redis) -> None:
    """Before a disk that hangs: until an append-only file is written to its end, nothing counts as synced."""
    # Microseconds for each key.
    client.config_set("rdb-key-save-delay", 60_000_000)
    client.set("a key that takes a minute", "")
    client.config_set("appendonly", "no")
    client.config_set("appendonly", "yes")
    eventually(lambda: rewriting(client), "its file is begun")


def syncs(client: redis.Redis) -> None:
    """The disk has each command before it is answered, from now on."""
    client.config_set("rdb-key-save-delay", 0)
    client.config_set("appendfsync", "always")
    if rewriting(client):
        client.config_set("appendonly", "no")
    client.config_set("appendonly", "yes")
    eventually(lambda: not rewriting(client), "it has a file")


class Server:
    """One server on a port, as a replica has to be reached."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process = start(
            [
                *(str(find_server()), "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--dir", str(folder), *options),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.client: redis.Redis = connect(self.url, patience=50)
        try:
            self.client.ping()
        except BaseException:
            self.stop()
            raise

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        self.client.close()
        end(self._process)


@contextlib.contextmanager
def server(folder: Path, *options: str) -> Iterator[Server]:
    one = Server(folder, *options)
    try:
        yield one
    finally:
        one.stop()


def needs(client: redis.Redis, *version: int) -> None:
    """Skip a test of what older servers do not have; Valkey says which version of Redis it is like."""
    says = str(client.info("server")["redis_version"])
    if tuple(int(part) for part in says.split(".")[: len(version)]) < version:
        pytest.skip(f"needs a server like Redis {'.'.join(map(str, version))}, and this is {says}")
