"""Machines for tests of backups: a Redis, a data folder and the commands of one installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis

from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.settings import Settings
from bridge.wiring import open_plain_redis


class OneMachine:
    """Context manager: a fresh Redis and a fresh data folder."""

    def __init__(self, folder: Path, services: Mapping[str, str], **settings: str) -> None:
        self.folder, self._services, self._settings = folder, services, settings
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"

    def __enter__(self) -> OneMachine:
        self.server = EmbeddedRedis(self.folder)
        self.server.start()
        self.client: redis.Redis = connect(self.server.url)
        self.ledger = Ledger(self.client)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.server.stop()

    @property
    def environ(self) -> dict[str, str]:
        return {
            "REDIS_URL": self.server.url,
            "DATA_DIR": str(self.data),
            "KUSTOMER_REQUESTS_PER_MINUTE": "100000",
            "CLOUDTALK_REQUESTS_PER_MINUTE": "100000",
            **self._services,
            **self._settings,
        }

    @property
    def settings(self) -> Settings:
        return Settings.from_env(self.environ, dotenv=None)

    def run(self, *words: str | Path) -> tuple[int, str]:
        """A command as a person runs it: exit code and what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "bridge", *map(str, words)],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), **self.environ},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        return done.returncode, done.stdout

    def keys(self) -> dict[str, Any]:
        """Everything the ledger holds, for comparison."""
        return {name.decode(): value for name, value in self.keys_as_bytes().items()}

    def keys_as_bytes(self) -> dict[bytes, Any]:
        """The same under names as they are in Redis."""
        with open_plain_redis(self.settings) as plain:
            found: dict[bytes, Any] = {}
            for name in plain.scan_iter(match="{callbridge}:*"):
                kind = plain.type(name)
                if kind == b"hash":
                    found[name] = plain.hgetall(name)
                elif kind == b"zset":
                    found[name] = plain.zrange(name, 0, -1, withscores=True)
                elif kind == b"list":
                    found[name] = plain.lrange(name, 0, -1)
                else:
                    found[name] = plain.get(name)
            return found

    def as_json(self, *words: str | Path) -> Any:
        code, text = self.run(*words, "--json")
        try:
            return json.loads(text)
        except ValueError:
            raise AssertionError(f"exit {code}: {text}") from None
