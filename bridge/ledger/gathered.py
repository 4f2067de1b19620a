"""Events that go to Redis together: one run of the learn script keeps each for itself, and says so of each.

In a storm that costs Redis half of what as many runs do: what all write to the same keys is written once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import redis

from bridge.ledger.calls.learning import Common, Own, together


class Answer(Protocol):
    """Who waits for an answer: a future, or what is called in its place at once, and must not raise."""

    def done(self) -> bool: ...

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, exception: Exception, /) -> None: ...


def settle(answer: Answer, result: Any) -> None:
    """Give an answer, or what went wrong with it, to who waits for it, unless they have gone meanwhile."""
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)


class Gathered:
    """What one run of the script is told, and who waits for what it says; itself an `Answer`, to all of it.

    Args:
        sha: the script's digest.
        key: where the call of one of the events is in Redis.
    """

    __slots__ = ("_groups", "_key", "_sha")

    def __init__(self, sha: str, key: str) -> None:
        self._sha, self._key = sha, key
        # What events have in common -> what the script is told of each, and who waits, in the same order.
        self._groups: dict[Common, tuple[list[str], list[Answer]]] = {}

    def add(self, common: Common, own: Own, answer: Answer) -> None:
        group = self._groups.get(common)
        if group is None:
            group = self._groups[common] = ([], [])
        group[0].extend(own)
        group[1].append(answer)

    def command(self) -> tuple[str | int, ...]:
        told = together((common, own) for common, (own, _) in self._groups.items())
        return ("EVALSHA", self._sha, 1, self._key, *told)

    def _answers(self) -> Iterator[Answer]:
        for _, answers in self._groups.values():
            yield from answers

    def __len__(self) -> int:
        return sum(len(answers) for _, answers in self._groups.values())

    def first_error_in(self, reply: Any) -> Exception | None:
        """What the script says that it met with one of them."""
        found = (one for one in reply if isinstance(one, Exception)) if isinstance(reply, list) else ()
        return next(iter(found), None)

    # As an `Answer`.

    def done(self) -> bool:
        return False

    def set_result(self, result: Any) -> None:
        if not isinstance(result, list) or len(result) != len(self):
            self.set_exception(redis.InvalidResponse("Redis did not answer for each event"))
            return
        for answer, own in zip(self._answers(), result, strict=True):
            settle(answer, own)

    def set_exception(self, exception: Exception) -> None:
        for answer in self._answers():
            settle(answer, exception)
