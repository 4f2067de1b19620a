"""Pages of a sorted set, gone on with by a cursor that stays right while members come and go."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import redis

from bridge.boundary import boundary
from bridge.errors import WrongUse

T = TypeVar("T")

_AT_ONCE = 200
# One request looks at no more than this; its cursor leads on.
MOST_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The last member looked at. Members with the same score are told apart by their name."""

    score: float
    name: str

    @classmethod
    def read(cls, text: str) -> Place | None:
        """Of a cursor; None for an empty one.

        Raises:
            WrongUse: this is no cursor of ours.
        """
        if not text:
            return None
        score, _, name = text.partition("~")
        if not re.fullmatch(r"[0-9]{1,14}", score) or not name:
            raise WrongUse("cursor: must be the `next` value of the previous answer")
        return cls(score=float(score), name=name)

    def __str__(self) -> str:
        return f"{self.score:.0f}~{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some items, and in `next` the cursor of those that follow.

    A page may be short or empty and have a `next`: one request looks at a bounded part of what is kept.
    """

    items: list[T]
    next: str | None


def page_of(
    client: redis.Redis,
    key: str,
    *,
    after: Place | None,
    limit: int,
    read: Callable[[list[Place]], list[T | None]],
    highest_first: bool = False,
) -> Page[T]:
    """Up to `limit` items of a sorted set, lowest score first.

    Args:
        read: gives the items at some places in their order; None for each that is not wanted.
        highest_first: the other way round.
    """
    items: list[T] = []
    looked = 0
    for places in _chunks(client, key, after, highest_first):
        for place, item in zip(places, read(places), strict=True):
            looked += 1
            items += [] if item is None else [item]
            if len(items) >= limit or looked >= MOST_LOOKED_AT:
                return Page(
                    items=items, next=str(place) if _is_more(client, key, place, highest_first) else None
                )
    return Page(items=items, next=None)


def _chunks(client: redis.Redis, key: str, after: Place | None, back: bool) -> Iterator[list[Place]]:
    while places := _after(client, key, after, back, count=_AT_ONCE):
        yield places
        after = places[-1]


def _is_more(client: redis.Redis, key: str, place: Place, back: bool) -> bool:
    return bool(_after(client, key, place, back, count=1))


def _after(client: redis.Redis, key: str, after: Place | None, back: bool, *, count: int) -> list[Place]:
    """The next members, at least one where there is one."""
    skipped = 0
    while True:
        found = cast(list[tuple[str, float]], _range(client, key, after, back, skipped, count))
        skipped += len(found)
        places = [
            Place(score=score, name=name) for name, score in found if _is_beyond(after, score, name, back)
        ]
        if places or not found:
            return places


@boundary("paging.read")
def _range(client: redis.Redis, key: str, after: Place | None, back: bool, start: int, count: int) -> object:
    if back:
        highest = "+inf" if after is None else after.score
        return client.zrevrangebyscore(key, highest, "-inf", start=start, num=count, withscores=True)
    lowest = "-inf" if after is None else after.score
    return client.zrangebyscore(key, lowest, "+inf", start=start, num=count, withscores=True)


def _is_beyond(after: Place | None, score: float, name: str, back: bool) -> bool:
    if after is None:
        return True
    here = (after.score, after.name)
    return (score, name) < here if back else (score, name) > here
