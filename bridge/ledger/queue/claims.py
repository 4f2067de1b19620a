"""A job that was handed out, and one that is held."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bridge.ledger.calls.packed import Part
from bridge.ledger.keys import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that is ours until its lease ends. `token` fences every write made under it."""

    name: str
    kind: str
    key: str
    token: str
    attempts: int
    now_ms: int
    lane: Lane
    # The number that the call is also known by, where its key is a uuid.
    number: str = ""
    # Of the call's last webhook, see `bridge.tracing`.
    trace: str = ""
    # The call's record as it was then, without its log; empty where it was not asked for.
    parts: tuple[Part, ...] = field(default=(), repr=False, compare=False)
    # By this process's clock, seconds; for `time_ms`.
    at: float = field(default_factory=time.monotonic, repr=False, compare=False)

    def time_ms(self) -> int:
        """What time it is by Redis' clock, as far as this process's clock tells since the claim."""
        return self.now_ms + int((time.monotonic() - self.at) * 1000)


class DueJob(str):
    """The name of a job that was handed out, for how long it was due before, and whose it is."""

    __slots__ = ("account", "due_for_ms")
    due_for_ms: int
    account: str

    def __new__(cls, name: str, due_for_ms: int, account: str = "") -> DueJob:
        job = super().__new__(cls, name)
        job.due_for_ms, job.account = due_for_ms, account
        return job
