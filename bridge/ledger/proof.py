"""Where a delivery has to be before it is acknowledged, and how Redis is asked whether it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline

AcceptAfter = Literal["memory", "disk", "replica"]


class NotProven(Exception):
    """Redis has it in memory, and did not say within the limit that it is safe where it should be."""


class CannotProve(Exception):
    """This Redis cannot say whether a write is safe: until somebody changes its settings, or ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is asked behind the writes, on the connection that made them.

    Both commands speak of the writes of their own connection only, and of a server that lost its
    place to another one meanwhile they get no answer: so a proof is never about somebody else's disk.

    Source: https://redis.io/docs/latest/commands/waitaof/ (Redis 7.2, Valkey 7.2), commands/wait/
    """

    after: AcceptAfter = "memory"
    within_ms: int = 0

    @property
    def is_asked(self) -> bool:
        return self.after != "memory"

    def ask(self, pipe: Pipeline | AsyncPipeline) -> None:
        """Put the question behind the writes of a pipeline; `replies` of what it answers are the proof's."""
        if self.after == "disk":
            pipe.execute_command("WAITAOF", 1, 0, self.within_ms)
            # Whether that can be believed: asked each time, as it may be changed while both run.
            pipe.config_get("appendfsync")
            pipe.info("server")
        elif self.after == "replica":
            pipe.execute_command("WAIT", 1, self.within_ms)

    @property
    def replies(self) -> int:
        return {"memory": 0, "disk": 3, "replica": 1}[self.after]

    def check(self, replies: Sequence[Any]) -> None:
        """Take Redis' replies to what `ask` put.

        Raises:
            NotProven: the limit came first.
            CannotProve: as `check_able`.
        """
        self.check_able(replies)
        if self.is_asked and int(replies[0][0] if self.after == "disk" else replies[0]) < 1:
            raise NotProven(f"not {self.place} within {self.within_ms} ms")

    def check_able(self, replies: Sequence[Any]) -> None:
        """Whether the replies could be believed, whatever they say.

        With `no` the kernel writes when it likes, mostly after half a minute: no limit is so long.

        Raises:
            CannotProve: no such command, no append-only file, a replica itself, or not to be believed.
        """
        if any(isinstance(reply, redis.ResponseError) for reply in replies):
            raise CannotProve(self.cannot)
        if self.after == "disk":
            policy, server = replies[1].get("appendfsync"), replies[2]
            if policy != "always" and (policy == "no" or not proves_everysec(server)):
                raise CannotProve(self.cannot)

    def ask_place(self, pipe: Pipeline | AsyncPipeline) -> None:
        """Ask whether there is any such place; `check_place` takes the `place_replies` replies.

        Not asked with each delivery: one that finds no replica may find it a moment later.
        """
        if self.after == "replica":
            pipe.info("replication")

    @property
    def place_replies(self) -> int:
        return 1 if self.after == "replica" else 0

    def check_place(self, replies: Sequence[Any]) -> None:
        """Raises CannotProve where no replica is connected. A user without the right to ask passes."""
        for answer in replies:
            if not isinstance(answer, Exception) and not answer.get("connected_slaves"):
                raise CannotProve(self.cannot)

    @property
    def place(self) -> str:
        return {"memory": "in memory", "disk": "on disk", "replica": "on a replica"}[self.after]

    @property
    def cannot(self) -> str:
        """What to say of a Redis that cannot prove."""
        if self.after == "disk":
            return (
                "ACCEPT_AFTER=disk: this Redis cannot report what is on its disk; this needs appendonly "
                "yes, appendfsync always and CONFIG GET, on Redis or Valkey 7.2 or newer (everysec: Redis "
                "8.0)"
            )
        return "ACCEPT_AFTER=replica: this Redis has no connected replica, or does not support WAIT"


def proves_everysec(server: Mapping[str, Any]) -> bool:
    """Whether WAITAOF of a server (its `INFO server`) can be believed with `appendfsync everysec`.

    Redis 7.4 and Valkey (seen with 9.1.2 under strace, 2026-11) say that the disk has what it will only get
    with the next fsync. Redis 8.0 does not.
    Source: https://github.com/redis/redis/pull/13793
    """
    return "valkey_version" not in server and _major(server.get("redis_version")) >= 8


def _major(version: Any) -> int:
    text = str(version).partition(".")[0]
    return int(text) if text.isdigit() else 0
