"""A client whose commands share round trips within one run of a job.

A command whose answer the run does not need at once waits for the run's next command; both go out in one
write, are carried out in their order, and answered in that order. The answer is looked at then: a lease that
was lost, or a lock that another job has, is raised by the command that it went with.

What makes this safe:

- Each waiting command goes out before the next request to a service: what is sent there takes a place in its
  budget first, and `WriteLog` has the last check before a body send what still waits.
- A process that is killed while something waits is one that was killed before it was asked. A connection that
  breaks may cut apart what goes together: each command may be the last one before a kill, and be sent again.
- Outside of a run nothing waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import hiredis
import redis
from redis.client import NEVER_DECODE, Pipeline
from redis.commands.core import Script
from redis.exceptions import NoScriptError, ResponseError

from bridge import boundary
from bridge.errors import BridgeError

# More than any run has waiting; what comes beyond goes out at once.
MOST_WAITING = 64


@dataclass(slots=True)
class Command:
    """One command, and what is done with its answer.

    Args:
        words: as Redis takes it; of a script EVALSHA, its digest, how many keys, keys, arguments.
        source: the script's text.
        name: of the boundary.
        then: is given the answer; what it raises is raised by whoever sends it.
        may_fail: what Redis refuses it with is an answer, too.
    """

    words: tuple[Any, ...]
    source: Any = None
    name: str | None = None
    then: Callable[[Any], None] | None = None
    may_fail: bool = False

    def in_full(self) -> Command:
        """For a Redis that does not know the script: after a restart."""
        if self.source is None:
            return self
        return Command(("EVAL", self.source, *self.words[2:]), name=self.name, then=self.then)


class Run:
    """What waits in one run of a job. A thread that is left behind may still use it."""

    def __init__(self) -> None:
        self.client: LedgerClient | None = None
        self.commands: list[Command] = []
        # What went wrong with one that waited; nothing is sent to a service after it.
        self.failed: Exception | None = None

    def take(self) -> list[Command]:
        commands, self.commands = self.commands, []
        return commands


_current: ContextVar[Run | None] = ContextVar("sharing", default=None)


@contextmanager
def sharing() -> Iterator[Run]:
    """Commands inside share round trips. What waits at the end is sent; nobody is told if that fails."""
    run = Run()
    token = _current.set(run)
    try:
        yield run
    finally:
        with suppress(redis.RedisError, BridgeError):
            flush()
        _current.reset(token)
        run.take()


def flush() -> None:
    """Send what waits.

    Raises:
        RedisError: Redis refused it, now or when it was sent; or it is away.
        LeaseLost, Busy: see `Command.then`.
    """
    run = _current.get()
    if run is None:
        return
    if run.commands and run.client is not None:
        run.client.send([])
    if run.failed is not None:
        raise run.failed


def script_command(script: Script, keys: Sequence[Any], arguments: Sequence[Any]) -> Command:
    return Command(("EVALSHA", script.sha, len(keys), *keys, *arguments), source=script.script)


def ask(client: redis.Redis, script: Script, keys: Sequence[Any], arguments: Sequence[Any]) -> Any:
    """A script's answer."""
    if isinstance(client, LedgerClient):
        return client.send([script_command(script, keys, arguments)])[0]
    return script(keys=keys, args=arguments)


def later(
    client: redis.Redis, command: Command | tuple[Any, ...], then: Callable[[Any], None] | None = None
) -> None:
    """Send a command with the next one of this run; at once where there is no run.

    Args:
        then: is given the answer, when it is there.
    """
    one = command if isinstance(command, Command) else Command(command)
    one.name, one.then = boundary.current(), then
    run = _current.get()
    if run is None or not isinstance(client, LedgerClient) or run.client not in (None, client):
        _at_once(client, one)
        return
    run.client = client
    run.commands.append(one)
    if len(run.commands) >= MOST_WAITING:
        client.send([])


def answers_soon(client: redis.Redis, pipe: Pipeline) -> Callable[[], list[Any]]:
    """Send what a pipeline without transaction holds with the next command of this run.

    Returns:
        Gives the answers, errors among them, and sends what waits if need be.
    """
    run = _current.get()
    if run is None or not isinstance(client, LedgerClient) or run.client not in (None, client):
        found = pipe.execute(raise_on_error=False)
        return lambda: found
    run.client = client
    answers: list[Any] = []
    asked = list(pipe.command_stack)
    pipe.reset()
    name = boundary.current()
    run.commands += [Command(words, name=name, then=answers.append, may_fail=True) for words, _ in asked]

    def read() -> list[Any]:
        if len(answers) < len(asked):
            flush()
        return [
            answer if isinstance(answer, Exception) else client.read(words[0], answer, dict(options))
            for (words, options), answer in zip(asked, answers, strict=True)
        ]

    return read


def _at_once(client: redis.Redis, command: Command) -> None:
    if isinstance(client, LedgerClient):
        (answer,) = client.send([command])
    else:
        answer = _asked(client, command)
    if command.then is not None:
        command.then(answer)


def _asked(client: redis.Redis, command: Command) -> Any:
    try:
        return client.execute_command(*command.words)  # type: ignore[no-untyped-call]
    except NoScriptError:
        return client.execute_command(*command.in_full().words)  # type: ignore[no-untyped-call]


class LedgerClient(redis.Redis):
    """redis-py's client; each command takes along what waits."""

    def send(self, commands: Sequence[Command], *, raises: bool = True) -> list[Any]:
        """Answers to these, after those to what waits, in one round trip.

        Args:
            raises: else what one of these was refused with stands among the answers.

        Raises:
            RedisError: what one of them was refused with.
        """
        run = _current.get()
        waiting = run.take() if run is not None and run.client is self else []
        if not waiting:
            return _all_said(self._exchange(commands)) if raises else self._exchange(commands)
        assert run is not None  # noqa: S101  # something waits in it
        names = dict.fromkeys(one.name for one in waiting)
        if commands:
            names[boundary.current()] = None
        together = "+".join(name for name in names if name)
        try:
            with boundary.boundary(together):
                answers = self._exchange([*waiting, *commands])
        except (redis.ConnectionError, redis.TimeoutError):
            # Whether they were carried out is not known. They go with the next one, if there is one.
            run.commands[:0] = waiting
            raise
        _deliver(run, waiting, answers[: len(waiting)])
        own_answers = answers[len(waiting) :]
        return _all_said(own_answers) if raises else own_answers

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The answers, in order; what Redis refused is among them as an error."""
        connection: Any = self.connection_pool.get_connection()

        def exchange() -> list[Any]:
            if connection._sock is None:
                connection.connect()
            if time.monotonic() > connection.next_health_check:
                connection.check_health()
            known = _known_at(connection)
            # One that Redis does not know would be carried out after those that follow it.
            sent = [one if len(commands) == 1 or _sha(one) in known else one.in_full() for one in commands]
            data = b"".join([_packed(one.words) for one in sent])
            connection.send_packed_command([data], check_health=False)
            answers = [_answer(connection) for _ in commands]
            known.update(_sha(one) for one in commands)
            return answers

        try:
            answers: list[Any] = connection.retry.call_with_retry(exchange, lambda _: connection.disconnect())
        finally:
            self.connection_pool.release(connection)
        for n, answer in enumerate(answers):
            if isinstance(answer, NoScriptError) and commands[n].source is not None:
                _known_at(connection).clear()
                (answers[n],) = self._exchange([commands[n].in_full()])
        return answers

    def execute_command(self, *args: Any, **options: Any) -> Any:
        run = _current.get()
        if run is None or not run.commands or run.client is not self:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        if NEVER_DECODE in options:
            self.send([])
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        (answer,) = self.send([Command(args)])
        return self.read(args[0], answer, options)

    def read(self, name: str, answer: Any, options: dict[str, Any]) -> Any:
        """An answer as redis-py gives it."""
        options.pop("keys", None)
        read: Callable[..., Any] | None = cast(Any, self.response_callbacks).get(name)
        return read(answer, **options) if read is not None else answer

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return LedgerPipeline(self, transaction, shard_hint)


class LedgerPipeline(Pipeline):
    def __init__(self, client: LedgerClient, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._client, self._is_plain = client, not transaction

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        run = _current.get()
        if run is None or not run.commands or run.client is not self._client:
            return super().execute(raise_on_error)
        stack = self.command_stack
        if not self._is_plain or self.explicit_transaction or self.watching or not stack:
            self._client.send([])
            return super().execute(raise_on_error)
        self.reset()
        answers = self._client.send([Command(args) for args, _ in stack], raises=raise_on_error)
        return [
            answer if isinstance(answer, Exception) else self._client.read(args[0], answer, options)
            for (args, options), answer in zip(stack, answers, strict=True)
        ]

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        run = _current.get()
        if run is not None and run.commands and run.client is self._client:
            self._client.send([])
        return super().immediate_execute_command(*args, **options)  # type: ignore[no-untyped-call]


def _known_at(connection: Any) -> set[str]:
    """Digests of the scripts that the server at the other end knows; its restart ends the connection."""
    socket, known = getattr(connection, "known_scripts", (None, None))
    if known is None or socket is not connection._sock:
        known = set()
        connection.known_scripts = (connection._sock, known)
    return cast(set[str], known)


def _sha(command: Command) -> str:
    return "" if command.source is None else str(command.words[1])


def _packed(words: tuple[Any, ...]) -> bytes:
    """As redis-py writes a command, without what it does for words that the ledger never has."""
    if " " in words[0]:
        words = (*words[0].split(), *words[1:])
    try:
        packed: bytes = hiredis.pack_command(words)
        return packed
    except TypeError as error:
        raise redis.DataError(str(error)) from error


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def _all_said(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _deliver(run: Run, commands: Sequence[Command], answers: Sequence[Any]) -> None:
    """Hand the answers to whoever waits for them; after all of them, the first that is wrong is raised."""
    wrong: Exception | None = None
    for command, answer in zip(commands, answers, strict=True):
        if isinstance(answer, Exception) and not command.may_fail:
            wrong = wrong or answer
            run.failed = run.failed or answer
            continue
        if command.then is not None:
            try:
                command.then(answer)
            except Exception as error:
                wrong = wrong or error
    if wrong is not None:
        raise wrong
