"""Where a delivery has to be before it is acknowledged, and how Redis is asked whether it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import redis

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
    def command(self) -> tuple[str | int, ...] | None:
        match self.after:
            case "disk":
                return ("WAITAOF", 1, 0, self.within_ms)
            case "replica":
                return ("WAIT", 1, self.within_ms)
        return None

    def check(self, reply: Any) -> None:
        """Take Redis' reply to `command`.

        Raises:
            NotProven: the limit came first.
            CannotProve: it knows no such command, keeps no append-only file, or is a replica itself.
        """
        if isinstance(reply, redis.ResponseError):
            raise CannotProve(self.cannot) from reply
        reached = int(reply[0] if self.after == "disk" else reply)
        if reached < 1:
            raise NotProven(f"not {self.place} within {self.within_ms} ms")

    @property
    def place(self) -> str:
        return {"memory": "in memory", "disk": "on disk", "replica": "on a replica"}[self.after]

    @property
    def cannot(self) -> str:
        """What to say of a Redis that cannot prove."""
        if self.after == "disk":
            return (
                "ACCEPT_AFTER=disk: this Redis cannot say what is on its disk; it wants Redis or Valkey 7.2 "
                "or newer, with appendonly yes"
            )
        return "ACCEPT_AFTER=replica: this Redis has no replica that is connected, or does not know WAIT"
