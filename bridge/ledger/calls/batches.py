"""Deliveries sent together: scripts in one pipeline on one connection, with the wait for disk at its end.

WAITAOF blocks its connection until the next fsync, with `appendfsync everysec` for up to a second, and WAIT
until a replica answers. One connection for each delivery would let in a hundred a second; deliveries that
share a wait cost the same one. (A second connection that asks for all of them would do too, until a
failover comes between the write and the question: the answer would then be about the new server's disk.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

from bridge.boundary import boundary
from bridge.ledger.gathered import settle
from bridge.ledger.proof import Proof

# How long deliveries gather while a batch is under way: with `always` it is back sooner.
GATHER_S = 0.05
LARGEST = 128


@dataclass(slots=True, eq=False)
class Call:
    """One script to run. Not frozen, as each webhook makes one."""

    script: AsyncScript
    keys: Sequence[str]
    arguments: Sequence[Any]


class Batches:
    """Runs scripts in batches. A script that answers has written: each of ours does, for repeats too."""

    def __init__(self, client: redis.asyncio.Redis, proof: Proof) -> None:
        self._redis, self._proof = client, proof
        self._waiting: list[tuple[Call, asyncio.Future[Any]]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, call: Call) -> Any:
        """A script's answer, once what it wrote is where it has to be.

        Raises:
            NotProven, CannotProve: it is kept, but that is not known to be safe.
            redis.RedisError, OSError: whether it is kept is not known.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((call, answer))
        if not self._under_way:
            self._send()
        elif self._timer is None:
            self._timer = loop.call_later(GATHER_S, self._send)
        return await answer

    async def run_all(self, name: str, calls: Sequence[Call]) -> list[Any]:
        """The scripts' answers, run in this order; an answer may be the error of its own script.

        Args:
            name: of the boundary. Who asks is in another task than who sends, so it is passed here.
        Raises: as `run`, about all of them.
        """
        answers = await self._exchange(name, calls, load=False)
        if not any(isinstance(answer, NoScriptError) for answer in answers):
            return answers
        # Redis was restarted. What did run is kept, and proven, already.
        missing = [c for c, answer in zip(calls, answers, strict=True) if isinstance(answer, NoScriptError)]
        again = iter(await self._exchange(name, missing, load=True))
        return [next(again) if isinstance(answer, NoScriptError) else answer for answer in answers]

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
        if not batch:
            return
        task = asyncio.create_task(self._deliver(batch))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._send)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not self._under_way:
            self._send()

    async def _deliver(self, batch: list[tuple[Call, asyncio.Future[Any]]]) -> None:
        try:
            answers = await self.run_all("inbox.batch", [call for call, _ in batch])
        except Exception as error:
            answers = [error] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            settle(future, answer)

    async def _exchange(self, name: str, calls: Sequence[Call], *, load: bool) -> list[Any]:
        """One round trip: the scripts, then the question whether all of it is safe."""
        pipe = self._redis.pipeline(transaction=False)
        sources = dict.fromkeys(call.script for call in calls) if load else {}
        for script in sources:
            pipe.script_load(script.script)
        for call in calls:
            pipe.evalsha(call.script.sha, len(call.keys), *call.keys, *call.arguments)
        self._proof.ask(pipe)
        with boundary(name):
            replies = await pipe.execute(raise_on_error=False)
        answers = replies[len(sources) : len(sources) + len(calls)]
        # Of what was not written (read-only after a failover, out of memory) there is nothing to prove.
        if not all(isinstance(answer, Exception) for answer in answers):
            self._proof.check(replies[len(sources) + len(calls) :])
        return answers
