"""One connection to Redis that all webhooks of a process share.

What they ask in one turn of the event loop goes out together, a few at a time, and the answers come back in
that order, as Redis promises. redis-py makes the connection: addresses, TLS, sign-in, database and
sentinels are its business. From then on the bytes are ours, with hiredis' parser. redis-py's own asyncio
client takes a connection of its pool for each command, at several times the cost
(`python -m tests.benchmarks.ingest`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis
import redis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection, SSLConnection
from redis.exceptions import NoScriptError

from bridge.ledger.calls.learning import Common, Own
from bridge.ledger.following import is_not_master
from bridge.ledger.gathered import Answer, Gathered, settle
from bridge.ledger.stalls import Stalls
from bridge.ledger.tags import Tagging

# No more wait for an answer at once: each is a webhook that somebody waits for. What comes beyond is refused.
MOST_WAITING = 1000
# In a storm, one turn of the event loop asks for many. So many go out at once: Redis works on them while this
# process reads the next. If all went out at the end of the turn, each of the two would wait for the other.
SENT_AT_ONCE = 16
# Between the time that a limit is over and the end of the connection: a turn or two of the event loop,
# in which what has arrived is read.
_LAST_LOOK_S = 0.002
# A shorter silence sets no limit.
_WORTH_NOTING_S = 0.05
_LOST = "the connection to Redis was lost"


class Pipelined:
    """Runs scripts over one connection, which is made when it is needed and again when it was lost.

    All methods raise redis-py's errors. Whether a script whose answer did not come ran is not known.
    `TimeoutError` means that Redis said nothing at all for a while (`Stalls`), or not this answer in time.
    """

    def __init__(self, client: redis.asyncio.Redis, *, timeout_s: float) -> None:
        """
        Args:
            client: tells the address; its pool makes the connections.
            timeout_s: how long an answer may take, and a connection.
        """
        self._pool = client.connection_pool
        # A handshake of TLS is several round trips and some computing: Redis is not away because it takes
        # longer than an answer may.
        self._least_s = timeout_s if issubclass(self._pool.connection_class, SSLConnection) else 0.0
        self._timeout_s = timeout_s
        self._stalls = Stalls()
        self._link: Link | None = None
        self._connecting: asyncio.Task[Link] | None = None
        self._is_closed = False

    async def run(
        self, sha: str, source: str | bytes | memoryview, keys: Sequence[str], arguments: Sequence[Any]
    ) -> Any:
        """A script's answer.

        Args:
            sha: of `source`. Redis gets the source where it does not know it: after a restart.
            arguments: texts, bytes and numbers.
        """
        link = self._link
        if link is None or link.is_lost:
            link = await self._connected()
        try:
            return await link.ask(("EVALSHA", sha, len(keys), *keys, *arguments))
        except NoScriptError:
            text = bytes(source) if isinstance(source, memoryview) else source
            return await link.ask(("EVAL", text, len(keys), *keys, *arguments))

    async def open(self) -> None:
        """Make the connection, so that the first webhook finds it."""
        async with asyncio.timeout(self._timeout_s):
            await self._connecting_link()

    @property
    def takes_more(self) -> bool:
        """Whether there is a connection, and room on it: `send` may be called."""
        return self._link is not None and self._link.takes_more

    def send(self, sha: str, keys: Sequence[str], arguments: Sequence[Any], answer: Answer) -> None:
        """Runs a script that Redis most likely knows, where `takes_more`; `answer` is told.

        It gets a `NoScriptError` where Redis does not know the script, which then did not run.
        """
        assert self._link is not None  # noqa: S101  # it takes more
        self._link.send(("EVALSHA", sha, len(keys), *keys, *arguments), answer)

    def send_together(
        self, sha: str, key: str, common: Common, own: Own, answer: Answer, *, account: str = ""
    ) -> None:
        """As `send`, for one event, in the same run of the learn script as others of this moment.

        Args:
            key: where the event's call is in Redis.
            answer: is told what the script says of this event.
            account: only its own events are kept by the same run.
        """
        assert self._link is not None  # noqa: S101  # it takes more
        self._link.send_together(sha, key, common, own, answer, account)

    async def _connected(self) -> Link:
        """The connection; who comes while it is being made waits for the same one, but not for long.

        A Redis that is frozen takes a connection and then says nothing. The connection goes on being made.
        """
        limit_s = max(self._least_s, self._stalls.limit_s(asyncio.get_running_loop().time()))
        async with asyncio.timeout(min(self._timeout_s, limit_s)):
            return await self._connecting_link()

    async def _connecting_link(self) -> Link:
        if self._is_closed:
            raise redis.ConnectionError(_LOST)
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add_done_callback(self._made)
        # Who gives up waiting does not end it for the others.
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> Link:
        async with asyncio.timeout(self._timeout_s):
            connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
            except BaseException:
                with contextlib.suppress(Exception):
                    await connection.disconnect(nowait=True)
                raise
        self._stalls.back(asyncio.get_running_loop().time())
        return Link(connection, timeout_s=self._timeout_s, stalls=self._stalls)

    def _made(self, task: asyncio.Task[Link]) -> None:
        self._connecting = None
        if task.cancelled() or task.exception() is not None:
            return
        self._link = task.result()
        if self._is_closed:
            self._link.lose(redis.ConnectionError(_LOST))

    def close(self) -> None:
        self._is_closed = True
        if self._link is not None:
            self._link.lose(redis.ConnectionError(_LOST))


class OfAccount:
    """The scripts of an account, over the connection that all webhooks share."""

    def __init__(self, shared: Pipelined, tagging: Tagging) -> None:
        self._shared, self._name, self._account = shared, tagging.name, tagging.account

    async def run(
        self, sha: str, source: str | bytes | memoryview, keys: Sequence[str], arguments: Sequence[Any]
    ) -> Any:
        """As `Pipelined.run`; the script is the account's, its keys are as `keys.py` spells them."""
        return await self._shared.run(sha, source, [*map(self._name, keys)], arguments)

    @property
    def takes_more(self) -> bool:
        return self._shared.takes_more

    def send(self, sha: str, keys: Sequence[str], arguments: Sequence[Any], answer: Answer) -> None:
        self._shared.send(sha, [*map(self._name, keys)], arguments, answer)

    def send_together(self, sha: str, key: str, common: Common, own: Own, answer: Answer) -> None:
        self._shared.send_together(sha, self._name(key), common, own, answer, account=self._account)

    async def open(self) -> None:
        await self._shared.open()

    def close(self) -> None:
        """The connection is the others' too, and stays."""


class Link(asyncio.Protocol):
    """One connection that was made, until it is lost."""

    def __init__(self, connection: AbstractConnection, *, timeout_s: float, stalls: Stalls) -> None:
        writer = connection._writer  # redis-py offers no other way to take over what it connected
        assert writer is not None  # noqa: S101  # it is connected
        # As long as it lives, so does the transport.
        self._connection = connection
        self._transport: asyncio.WriteTransport = writer.transport
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._stalls = stalls
        self._reader = hiredis.Reader(replyError=_error, encoding="utf-8", errors="replace")
        self._waiting: deque[Answer] = deque()
        # What is not sent yet: commands, and events by their script and account; how many in all.
        self._out: list[bytes] = []
        self._gathered: dict[tuple[str, str], Gathered] = {}
        self._unsent = 0
        self._is_flush_due = False
        # How many were asked and answered since the connection was made.
        self._asked = self._answered = 0
        # For each turn of the loop in which something was sent: how many had been asked by then, and when.
        self._turns: deque[tuple[int, float]] = deque()
        # Since when it is Redis's turn to say something, while something waits.
        self._silent_since = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._is_last_look = False
        self.is_lost = False
        self._transport.set_protocol(self)
        if self._transport.is_closing():
            self.lose(redis.ConnectionError(_LOST))

    @property
    def takes_more(self) -> bool:
        """Whether a command would be sent, and not be answered with an error at once."""
        return not self.is_lost and self._asked - self._answered < MOST_WAITING

    def ask(self, command: tuple[str | bytes | int, ...]) -> asyncio.Future[Any]:
        """Sends a command with the others of this turn; the future has its answer."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        if self.is_lost:
            answer.set_exception(redis.ConnectionError(_LOST))
            return answer
        if not self.takes_more:
            answer.set_exception(redis.TimeoutError("too many webhooks wait for Redis"))
            return answer
        self.send(command, answer)
        return answer

    def send(self, command: tuple[str | bytes | int, ...], answer: Answer) -> None:
        """Sends a command with the others of this turn, where more are taken; `answer` is told."""
        self._out.append(hiredis.pack_command(command))  # type: ignore[arg-type]
        self._waiting.append(answer)
        self._count()

    def send_together(
        self, sha: str, key: str, common: Common, own: Own, answer: Answer, account: str
    ) -> None:
        """Sends an event with the others of this turn, where more are taken."""
        # All accounts run the same text.
        gathered = self._gathered.get((sha, account))
        if gathered is None:
            gathered = self._gathered[sha, account] = Gathered(sha, key)
        gathered.add(common, own, answer)
        self._count()

    def _count(self) -> None:
        self._asked += 1
        self._unsent += 1
        if self._unsent >= SENT_AT_ONCE:
            self._flush()
        elif not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._end_turn)

    def lose(self, error: Exception) -> None:
        """End it; who waits gets the error."""
        self.is_lost = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._transport.abort()
        # Else redis-py reports one that nobody closed.
        self._connection._reader = self._connection._writer = None
        self._out.clear()
        self._waiting.extend(self._gathered.values())
        self._gathered.clear()
        self._unsent = 0
        while self._waiting:
            answer = self._waiting.popleft()
            settle(answer, error)

    def _end_turn(self) -> None:
        self._is_flush_due = False
        if self._unsent:
            self._flush()

    def _flush(self) -> None:
        for gathered in self._gathered.values():
            self._out.append(hiredis.pack_command(gathered.command()))  # type: ignore[arg-type]
            self._waiting.append(gathered)
        self._gathered.clear()
        self._unsent = 0
        now = self._loop.time()
        if not self._turns:
            self._silent_since = now
            self._is_last_look = False
        self._turns.append((self._asked, now))
        if self._watch is None:
            self._watch = self._loop.call_later(min(self._timeout_s, self._stalls.limit_s(now)), self._look)
        self._transport.write(b"".join(self._out))
        self._out.clear()

    def _look(self) -> None:
        """Whether Redis has said nothing for too long, or has not answered the first that waits."""
        self._watch = None
        if not self._turns:
            return
        now = self._loop.time()
        silent_left_s = self._silent_since + self._stalls.limit_s(now) - now
        left_s = min(silent_left_s, self._turns[0][1] + self._timeout_s - now)
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._look)
        elif not self._is_last_look:
            # It may be this process that stood still: what has arrived is read before the next look.
            self._is_last_look = True
            self._watch = self._loop.call_later(_LAST_LOOK_S, self._look)
        else:
            if silent_left_s <= 0:
                self._stalls.taken_for_outage(self._silent_since)
            self.lose(redis.TimeoutError("Redis did not answer in time"))

    # What asyncio calls.

    def data_received(self, data: bytes) -> None:
        now = self._loop.time()
        if now - self._silent_since > _WORTH_NOTING_S and self._turns:
            self._stalls.ended(now - self._silent_since, now)
        self._silent_since = now
        self._is_last_look = False
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self.take(reply)
        except hiredis.ProtocolError:
            self.lose(redis.ConnectionError("Redis sent what is no answer of its protocol"))
        turns, answered = self._turns, self._answered
        while turns and turns[0][0] <= answered:
            turns.popleft()

    def take(self, reply: Any) -> None:
        """Hand an answer to whoever waits longest."""
        if isinstance(reply, hiredis.PushNotification) or not self._waiting:
            # News that nobody asked for.
            return
        answer = self._waiting.popleft()
        error = reply if isinstance(reply, Exception) else None
        if isinstance(answer, Gathered):
            self._answered += len(answer)
            error = error or answer.first_error_in(reply)
        else:
            self._answered += 1
        if answer.done():
            return
        settle(answer, reply)
        if error is not None and is_not_master(error):
            # A failover made a replica of it, or the slot is another node's: the next connection finds the
            # new server.
            self.lose(redis.ConnectionError(_LOST))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lose(redis.ConnectionError(_LOST))

    def eof_received(self) -> bool:
        return False


def _error(text: str) -> Exception:
    """As redis-py names it."""
    error: Exception = redis.asyncio.connection.DefaultParser.parse_error(text)  # type: ignore[no-untyped-call]
    return error
