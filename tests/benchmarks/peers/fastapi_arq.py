"""FastAPI and arq, whose job holds the event and whose job id makes a repeat known: one call for all."""

from __future__ import annotations

import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from arq import create_pool
from arq.connections import RedisSettings
from fastapi import FastAPI, Header, Response

TOKEN = os.environ["TOKEN"].encode()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = RedisSettings(
        unix_socket_path=os.environ["REDIS_SOCKET"], database=int(os.environ["REDIS_DATABASE"])
    )
    app.state.pool = await create_pool(settings)
    yield
    await app.state.pool.aclose()


app = FastAPI(lifespan=lifespan)


@app.post("/webhooks/cloudtalk/{trigger}", status_code=202)
async def receive(
    body: dict[str, Any], response: Response, authorization: Annotated[str, Header()] = ""
) -> dict[str, str]:
    if not hmac.compare_digest(authorization.removeprefix("Bearer ").encode(), TOKEN):
        response.status_code = 401
        return {"error": "unknown token"}
    key = f"event:{body['event']}:{body['call_id']}"
    if await app.state.pool.enqueue_job("work", body, _job_id=key) is None:
        response.status_code = 200
        return {"status": "duplicate"}
    return {"status": "accepted"}
