"""Collects what servers say when they refuse the script that keeps a webhook: `server_texts.json`.

    python -m tests.ledger.collect_texts "redis 7.0.15=/path/to/redis-server" "valkey 8.1.8=…" > texts.json

Each server is started on a free port, in a folder of its own, and put into one bad state after another.
Replies are read from the socket, so that no client changes their text. Not part of the tests: these need no
server.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from bridge.ledger import scripts
from bridge.ledger.calls.learning import Retention, learn_observation
from bridge.ledger.keys import Lane
from tests.processes import end, start
from tests.waiting import eventually

_KEYS, _ARGUMENTS = learn_observation(
    uuid=UUID("5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11"),
    call_id=5,
    name="x",
    body={"a": 1},
    asked_at_ms=1,
    lane=Lane.LIVE,
    keep=Retention(),
)
# Where the event's JSON stands among them: it is the last.
_VALUE = -1
USERS = {
    "user without @scripting": "-@scripting",
    "user without the channel": "resetchannels",
    "user without HSET": "-hset",
    "user without PUBLISH": "-publish",
    "user without TIME": "-time",
    "user with other keys": "resetkeys ~callbridge:*",
    "user with some of the keys": "resetkeys ~{callbridge}:call* ~{callbridge}:due*",
}
VALUES = {
    "value with a lone surrogate": '{"body":"\\ud800"}',
    "value nested too deep": '{"body":' + "[" * 1100 + "]" * 1100 + "}",
    "value with NaN": '{"body":NaN',
    "value that is no JSON": '{"x":}',
    "value that is null": "null",
    "value that is a number": "12",
}


class Server:
    """One running server; `ask` gives the first line of its reply."""

    def __init__(self, program: str, *options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="callbridge-texts-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self._process = start([program, *place, *options], stdout=subprocess.DEVNULL)
        eventually(self._listens, f"{program} takes connections")

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def ask(self, *words: str | int, before: tuple[str, ...] = ()) -> str:
        with socket.create_connection(("127.0.0.1", self.port), 5) as link, link.makefile("rb") as replies:
            for command in (before, words) if before else (words,):
                parts = [str(word).encode() for word in command]
                link.sendall(
                    b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)
                )
                reply = replies.readline().decode().rstrip()
            return reply

    def learn(self, value: str | None = None, before: tuple[str, ...] = ()) -> str:
        """What the webhook path runs."""
        sha = scripts.sha("learn")
        arguments = [*_ARGUMENTS]
        if value is not None:
            arguments[_VALUE] = value
        return self.ask("EVALSHA", sha, len(_KEYS), *_KEYS, *arguments, before=before)

    def close(self) -> None:
        end(self._process)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running(program: str, *options: str) -> Iterator[Server]:
    server = Server(program, *options)
    server.ask("SCRIPT", "LOAD", scripts.source("learn"))
    try:
        yield server
    finally:
        server.close()


def refusals_of_users(program: str) -> Iterator[tuple[str, str]]:
    with running(program) as server:
        yield "script not loaded", server.ask("EVALSHA", "0" * 40, 0)
        for case, rules in USERS.items():
            server.ask("ACL", "SETUSER", "app", *f"reset on >pw ~* &* +@all {rules}".split())
            yield case, server.learn(before=("AUTH", "app", "pw"))
        yield "wrong password", server.ask("AUTH", "app", "wrong")
        yield "password where none is set", server.ask("AUTH", "pw")
        yield "SELECT 99", server.ask("SELECT", 99)
    with running(program, "--requirepass", "x") as server:
        yield "no password", server.learn()
        yield "wrong password, no user", server.ask("AUTH", "y")
    for command in ("EVALSHA", "HSET"):
        with running(program, "--rename-command", command, "") as server:
            yield f"{command} renamed", server.learn()


def refusals_of_servers(program: str) -> Iterator[tuple[str, str]]:
    with running(program, "--replicaof", "127.0.0.1", "1") as server:
        yield "replica", server.learn()
        server.ask("CONFIG", "SET", "replica-serve-stale-data", "no")
        yield "replica without its master", server.learn()
    with running(program) as server:
        server.ask("CONFIG", "SET", "maxmemory", 1)
        yield "memory full", server.learn()
        server.ask("CONFIG", "SET", "maxmemory", 0)
        server.ask("CONFIG", "SET", "min-replicas-to-write", 1)
        yield "too few replicas", server.learn()
        server.ask("CONFIG", "SET", "min-replicas-to-write", 0)
        server.ask("CONFIG", "SET", "save", "1 1")
        server.ask("SET", "k", "v")
        shutil.rmtree(server.folder)
        server.ask("BGSAVE")
        eventually(lambda: is_refusal(server.ask("SET", "k", "v")), "the snapshot fails")
        yield "snapshot failed", server.learn()
    for case, script in (
        ("endless script", "while true do end"),
        ("endless script that wrote", "redis.call('set', 'a', 'b') while true do end"),
    ):
        with running(program) as server:
            server.ask("CONFIG", "SET", "lua-time-limit", 50)
            threading.Thread(target=_ignoring, args=(server, script), daemon=True).start()
            eventually(lambda: is_refusal(server.ask("PING")), "the script runs for too long")
            yield case, server.learn() if case == "endless script" else server.ask("SCRIPT", "KILL")
            server.ask("SCRIPT", "KILL")
    with running(program) as server:
        server.ask("CONFIG", "SET", "maxclients", 1)
        with socket.create_connection(("127.0.0.1", server.port)):
            yield "all connections taken", server.ask("PING")


def is_refusal(reply: str) -> bool:
    return reply.startswith("-")


def _ignoring(server: Server, script: str) -> None:
    with suppress(OSError):
        server.ask("EVAL", script, 0)


def refusals_of_values(program: str) -> Iterator[tuple[str, str]]:
    with running(program) as server:
        for case, value in VALUES.items():
            yield case, server.learn(value)
        server.ask("SET", "{callbridge}:jobs", "text")
        yield "key of another type", server.learn()


def main() -> None:
    about: dict[str, dict[str, dict[str, list[str]]]] = {"server": {}, "event": {}}
    for argument in sys.argv[1:]:
        name, _, program = argument.partition("=")
        found = {
            "server": [*refusals_of_users(program), *refusals_of_servers(program)],
            "event": [*refusals_of_values(program)],
        }
        for whose, cases in found.items():
            for case, text in cases:
                # A digest differs with every change of a script, and says nothing.
                short = re.sub(r"[0-9a-f]{40}", lambda sha: sha[0][:8] + "0" * 32, text.removeprefix("-"))
                about[whose].setdefault(case, {}).setdefault(short, []).append(name)
    json.dump(about, sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
