"""Where the ways of `side_by_side` keep what they accepted, so that it can be counted afterwards."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import redis

from tests.waiting import eventually


class Store(Protocol):
    @property
    def answers(self) -> tuple[int, ...]:
        """To a wrong token, a webhook, and that webhook again; empty: it is not asked."""

    def count(self) -> int:
        """Jobs, or whatever there is one of for a webhook."""

    def lost(self, accepted: Sequence[int]) -> int:
        """Events of these calls that are not there."""


class Nowhere:
    answers: ClassVar[tuple[int, ...]] = ()

    def count(self) -> int:
        return 1

    def lost(self, accepted: Sequence[int]) -> int:
        return 0


@dataclass
class InRedis:
    """
    Args:
        event: the name of the key of an event, where NUMBER is the call's.
        jobs: the command that counts the jobs.
    """

    client: redis.Redis
    event: str
    jobs: tuple[str, str]
    answers: ClassVar[tuple[int, ...]] = (401, 202, 200)

    def count(self) -> int:
        return int(self.client.execute_command(*self.jobs))  # type: ignore[no-untyped-call]

    def lost(self, accepted: Sequence[int]) -> int:
        lost = 0
        for at in range(0, len(accepted), 5000):
            pipe = self.client.pipeline(transaction=False)
            for number in accepted[at : at + 5000]:
                pipe.exists(self.event.replace("NUMBER", str(number)))
            lost += sum(not held for held in pipe.execute())
        return lost


@dataclass
class Lines:
    """A file with a line of JSON for each event (Node-RED)."""

    file: Path
    answers: ClassVar[tuple[int, ...]] = (401, 202, 200)

    def _numbers(self) -> list[int]:
        return [int(json.loads(line)["call_id"]) for line in self.file.read_text().splitlines()]

    def count(self) -> int:
        return len(self._numbers())

    def lost(self, accepted: Sequence[int]) -> int:
        return len(set(accepted) - set(self._numbers()))


@dataclass
class Executions:
    """Runs of a workflow in SQLite (n8n), which knows neither tokens nor repeats."""

    file: Path
    answers: ClassVar[tuple[int, ...]] = (202, 202, 202)

    def count(self) -> int:
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as database:
            (count,) = database.execute("SELECT COUNT(*) FROM execution_entity").fetchone()
        # As if it had kept one of the three of the trial.
        return int(count) - 2

    def lost(self, accepted: Sequence[int]) -> int:
        """It writes them a while after its answer."""
        wanted = len(accepted) + 1
        try:
            eventually(lambda: self.count() >= wanted, "all executions are there", within_s=30, every_s=0.5)
        except AssertionError:
            return wanted - self.count()
        return 0
