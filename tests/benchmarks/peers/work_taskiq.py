"""taskiq's worker on a list in Redis; results are not kept. `python work_taskiq.py N` queues N calls."""

from __future__ import annotations

import asyncio
import os
import sys

import aiohttp
import journey
import redis.asyncio
from taskiq import TaskiqEvents, TaskiqState
from taskiq_redis import ListQueueBroker

broker = ListQueueBroker(os.environ["REDIS_URL"])
store = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def open_session(state: TaskiqState) -> None:
    state.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=journey.AT_ONCE))


@broker.task
async def call(number: int) -> None:
    await journey.by_aiohttp(broker.state.session, store, number)


async def queue(count: int) -> None:
    await broker.startup()
    for number in range(count):
        await call.kiq(number)
    await broker.shutdown()


if __name__ == "__main__":
    # Named as the worker names it, not __main__.
    import work_taskiq

    asyncio.run(work_taskiq.queue(int(sys.argv[1])))
