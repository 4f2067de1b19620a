"""arq's worker; results are not kept. `python work_arq.py N` queues N calls."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import aiohttp
import journey
from arq import create_pool, func
from arq.connections import RedisSettings

SETTINGS = RedisSettings(
    unix_socket_path=os.environ["REDIS_SOCKET"], database=int(os.environ["REDIS_DATABASE"])
)


async def startup(ctx: dict[str, Any]) -> None:
    ctx["session"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=journey.AT_ONCE))


async def shutdown(ctx: dict[str, Any]) -> None:
    await ctx["session"].close()


async def call(ctx: dict[str, Any], number: int) -> None:
    await journey.by_aiohttp(ctx["session"], ctx["redis"], number)


class Worker:
    redis_settings = SETTINGS
    functions = (func(call, keep_result=0),)
    on_startup, on_shutdown = startup, shutdown
    max_jobs = journey.AT_ONCE
    # Its own choice of 0.5 s would be all that is measured.
    poll_delay = 0.02


async def queue(count: int) -> None:
    pool = await create_pool(SETTINGS)
    for number in range(count):
        await pool.enqueue_job("call", number)
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(queue(int(sys.argv[1])))
