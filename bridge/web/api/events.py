"""`/api/events`: what happens, as server-sent events, for pages that follow it.

It is beside the operations of `/api` and not in its OpenAPI document: whoever tries all of those waits for an
end that does not come.

One look at Redis a second for all streams of a process, and none while there is no stream. So a stream also
tells of what another process accepted, and taking webhooks in costs nothing more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bridge.ledger.news import Look, News, news_between
from bridge.web.answers import REDIS_AWAY, Refused
from bridge.web.callers import Callers, Person, forget_session

MOST_STREAMS = 200
MOST_STREAMS_EACH = 12
LOOK_EVERY_S = 1.0
# Sooner than proxies give a silent connection up.
_BEAT_S = 15.0
# A session that ended ends its streams within this.
CHECK_EVERY_S = 3.0
_MOST_CALLS = 50


class Follower:
    """One stream: what happened since it was last written to."""

    def __init__(self) -> None:
        self.calls: dict[str, None] = {}
        self.news: News | None = None
        self.woken = asyncio.Event()

    def tell(self, news: News) -> None:
        self.calls |= dict.fromkeys(news.calls)
        self.news = news
        self.woken.set()

    def take(self) -> str | None:
        """What is to be written now."""
        news, self.news = self.news, None
        calls, self.calls = list(self.calls)[:_MOST_CALLS], {}
        self.woken.clear()
        if news is None:
            return None
        return json.dumps({"calls": calls, "parked": news.parked, "held": news.held})


class Feed:
    """The streams of this process, and the one task that looks for all of them."""

    def __init__(self, see: Callable[[Look | None], Awaitable[Look]]) -> None:
        """Args: see: looks at Redis, without blocking the event loop."""
        self._see = see
        self._followers: set[Follower] = set()
        self._by_person: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._seen: Look | None = None
        self.closing = False

    def __len__(self) -> int:
        return len(self._followers)

    @contextlib.asynccontextmanager
    async def follow(self, person: str) -> AsyncIterator[Follower]:
        """Everything from now on.

        Raises:
            Refused: 429, too many streams.
        """
        if len(self) >= MOST_STREAMS or self._by_person[person] >= MOST_STREAMS_EACH:
            raise Refused(
                429,
                "streams",
                "too many event streams are open",
                "Close other windows of the bridge.",
                {"Retry-After": "10"},
            )
        follower = Follower()
        self._by_person[person] += 1
        try:
            if self._task is None:
                # Before the answer begins: what comes from then on is sent.
                self._seen = await self._see(None)
            self._followers.add(follower)
            self._task = self._task or asyncio.create_task(self._look_on())
            yield follower
        finally:
            self._followers.discard(follower)
            self._by_person[person] -= 1
            if not self._by_person[person]:
                del self._by_person[person]
            if not self._followers and self._task is not None:
                self._task.cancel()
                self._task = None

    def close(self) -> None:
        """End all streams: the process stops."""
        self.closing = True
        for follower in self._followers:
            follower.woken.set()

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with contextlib.suppress(*REDIS_AWAY):
                seen = await self._see(self._seen)
                news = news_between(self._seen, seen) if self._seen is not None else None
                self._seen = seen
                for follower in list(self._followers):
                    if news is not None:
                        follower.tell(news)


class _Stream(StreamingResponse):
    """Lets its follower go however it ends, also before its first line."""

    def __init__(self, content: AsyncIterator[str], following: contextlib.AsyncExitStack) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._following:
            await super().__call__(scope, receive, send)


async def events(request: Request) -> Response:
    """The stream. It names calls by their keys, and says nothing of people: it is the same for every role."""
    feed: Feed = request.app.state.feed
    person: Person = request.state.person
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    following = contextlib.AsyncExitStack()
    follower = await following.enter_async_context(feed.follow(person.name))
    return _Stream(_lines(request, feed, follower), following)


async def _lines(request: Request, feed: Feed, follower: Follower) -> AsyncIterator[str]:
    """Until the session ends, or the process does."""
    yield "retry: 3000\n: what happens from now on\n\n"
    written = checked = time.monotonic()
    while not feed.closing:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CHECK_EVERY_S):
                await follower.woken.wait()
        now = time.monotonic()
        if now - checked >= CHECK_EVERY_S:
            if not await _is_still_let_in(request):
                return
            checked = now
        text = follower.take()
        if text is not None:
            yield f"data: {text}\n\n"
        elif now - written >= _BEAT_S:
            yield ": still here\n\n"
        else:
            continue
        written = now


async def _is_still_let_in(request: Request) -> bool:
    callers: Callers = request.app.state.callers
    if not request.app.state.is_current():
        # Another site is that of the account now, if it has one.
        return False
    forget_session(request.scope)
    try:
        return await callers.fault_of(request.scope) is None
    except REDIS_AWAY:
        # It cannot be known, and there is nothing to tell either.
        return True
