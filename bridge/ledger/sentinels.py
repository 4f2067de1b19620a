"""Sentinels that are asked who the master is: all of them, and the newest answer counts.

redis-py takes the first answer. A Sentinel that was just started again names the master of before its end
for about a second, and a server that was just started again takes itself for the master for about ten:
Sentinel waits for so long before it makes a replica of it. Together they would have the bridge write into
what is thrown away then. Each failover has a number, the configuration epoch, which grows.

Source: https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/ "Configuration epochs"
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import redis
from redis.asyncio.sentinel import MasterNotFoundError as AsyncMasterNotFoundError
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.sentinel import MasterNotFoundError, Sentinel

Address = tuple[str, int]
_AWAY = (redis.ConnectionError, redis.TimeoutError, OSError)


class Sentinels(Sentinel):
    """`redis.sentinel.Sentinel` with that rule."""

    def discover_master(self, service_name: str) -> Address:
        answers: list[Any] = []
        for one in self.sentinels:
            try:
                answers.append(_state(one.sentinel_masters(), service_name))
            except _AWAY as error:
                answers.append(error)
        state = _newest(answers)
        if state is None or not self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]
            raise MasterNotFoundError(_not_found(service_name, answers))
        return str(state["ip"]), int(state["port"])


class AsyncSentinels(AsyncSentinel):
    """The same for the event loop; all are asked at once."""

    async def discover_master(self, service_name: str) -> Address:
        async def ask(one: Any) -> Any:
            try:
                return _state(await one.sentinel_masters(), service_name)
            except _AWAY as error:
                return error

        answers = await asyncio.gather(*(ask(one) for one in self.sentinels))
        state = _newest(answers)
        if state is None or not self.check_master_state(dict(state), service_name):
            raise AsyncMasterNotFoundError(_not_found(service_name, answers))
        return str(state["ip"]), int(state["port"])


def _state(masters: Any, service: str) -> Mapping[str, Any] | None:
    """By name with redis-py's protocol 2, a list with 3."""
    if isinstance(masters, Mapping):
        masters = masters.values()
    return next((one for one in masters if one.get("name") == service), None)


def _newest(answers: Sequence[Any]) -> Mapping[str, Any] | None:
    """Of the states of the master; None where nobody knows one. Of equal ones, one that says that it runs."""
    states = [one for one in answers if isinstance(one, Mapping)]
    return max(
        states,
        key=lambda one: (int(one.get("config-epoch", 0)), not (one["is_sdown"] or one["is_odown"])),
        default=None,
    )


def _not_found(service: str, answers: Sequence[Any]) -> str:
    """As redis-py words it; `bridge.ledger.faults` reads it."""
    errors = ", ".join(f"sentinel - {one!r}" for one in answers if isinstance(one, Exception))
    return f"No master found for {service!r}" + (f" : {errors}" if errors else "")
