"""Clients of one account's ledger. They share the connections of the deployment's own client.

Code that works with the ledger goes on naming keys as `keys.py` spells them; see `tags.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline, PubSub
from redis.commands.core import Script

from bridge.ledger.sharing import Command, LedgerClient, LedgerPipeline
from bridge.ledger.tags import Tagging, learn_script


class AccountClient(LedgerClient):
    """`of`'s connections, with the keys of an account; closing it leaves them open."""

    def __init__(self, of: redis.Redis, account: str, *, of_deployment: redis.Redis | None = None) -> None:
        """Args: of_deployment: where what all accounts share is, if that may be another server."""
        super().__init__(connection_pool=of.connection_pool)
        self.tagging = Tagging(account)
        self.of_deployment = of_deployment or self

    def execute_command(self, *args: Any, **options: Any) -> Any:
        answer = super().execute_command(*self.tagging.words(args), **options)
        if args[0] == "SCAN":
            cursor, names = answer
            return cursor, [self.tagging.own(name) for name in names]
        return answer

    def register_script(self, script: Any) -> Script:
        return super().register_script(learn_script(script))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _AccountPipeline(self, transaction, shard_hint)

    def pubsub(self, **options: Any) -> PubSub:
        return _AccountPubSub(self.tagging, self.connection_pool, **options)

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        return super()._exchange([self._tagged(one) for one in commands])

    def _tagged(self, command: Command) -> Command:
        source = None if command.source is None else learn_script(command.source)
        return replace(command, words=self.tagging.words(command.words), source=source)


class _AccountPipeline(LedgerPipeline):
    def __init__(self, client: AccountClient, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client, transaction, shard_hint)
        self._tagging = client.tagging

    def execute_command(self, *args: Any, **options: Any) -> Any:
        words = self._tagging.words(args)
        return super().execute_command(*words, **options)  # type: ignore[no-untyped-call]

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        return super().immediate_execute_command(*self._tagging.words(args), **options)


class _AccountPubSub(PubSub):
    def __init__(self, tagging: Tagging, *args: Any, **options: Any) -> None:
        self._tagging = tagging
        super().__init__(*args, **options)

    def execute_command(self, *args: Any) -> Any:
        return super().execute_command(*self._tagging.words(args))  # type: ignore[no-untyped-call]


class AsyncAccountClient(redis.asyncio.Redis):
    """`AccountClient` for the event loop."""

    def __init__(self, of: redis.asyncio.Redis, account: str) -> None:
        super().__init__(connection_pool=of.connection_pool)
        self.tagging = Tagging(account)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        words = self.tagging.words(args)
        return await super().execute_command(*words, **options)  # type: ignore[no-untyped-call]

    def register_script(self, script: Any) -> Any:
        return super().register_script(learn_script(script))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> AsyncPipeline:
        pipe = _AsyncAccountPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipe.tagging = self.tagging
        return pipe


class _AsyncAccountPipeline(AsyncPipeline):
    tagging: Tagging

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*self.tagging.words(args), **options)

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        words = self.tagging.words(args)
        return await super().immediate_execute_command(*words, **options)  # type: ignore[no-untyped-call]
