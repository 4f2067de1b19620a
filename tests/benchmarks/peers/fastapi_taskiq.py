"""FastAPI and taskiq with a list in Redis: `task.kiq`; results are not kept."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import redis.asyncio
from fastapi import FastAPI, Header, Response
from taskiq_redis import ListQueueBroker

TOKEN = os.environ["TOKEN"].encode()
store = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])
broker = ListQueueBroker(os.environ["REDIS_URL"])


@broker.task
async def work(key: str) -> None: ...


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    await broker.startup()
    yield
    await broker.shutdown()


app = FastAPI(lifespan=lifespan)


@app.post("/webhooks/cloudtalk/{trigger}", status_code=202)
async def receive(
    body: dict[str, Any], response: Response, authorization: Annotated[str, Header()] = ""
) -> dict[str, str]:
    if not hmac.compare_digest(authorization.removeprefix("Bearer ").encode(), TOKEN):
        response.status_code = 401
        return {"error": "unknown token"}
    key = f"event:{body['event']}:{body['call_id']}"
    if not await store.set(key, json.dumps(body), nx=True, ex=30 * 86_400):
        response.status_code = 200
        return {"status": "duplicate"}
    await work.kiq(key)
    return {"status": "accepted"}
