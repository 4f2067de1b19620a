"""Starlette and dramatiq, as they are documented: a plain function in Starlette's threads, `actor.send`."""

from __future__ import annotations

import hmac
import json
import os
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

TOKEN = os.environ["TOKEN"].encode()
store = redis.Redis.from_url(os.environ["REDIS_URL"])
dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))


@dramatiq.actor
def work(key: str) -> None: ...


def keep(body: dict[str, Any]) -> JSONResponse:
    key = f"event:{body['event']}:{body['call_id']}"
    if not store.set(key, json.dumps(body), nx=True, ex=30 * 86_400):
        return JSONResponse({"status": "duplicate"}, 200)
    work.send(key)
    return JSONResponse({"status": "accepted"}, 202)


async def receive(request: Request) -> JSONResponse:
    token = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
    if not hmac.compare_digest(token, TOKEN):
        return JSONResponse({"error": "unknown token"}, 401)
    return await run_in_threadpool(keep, await request.json())


app = Starlette(routes=[Route("/webhooks/cloudtalk/{trigger}", receive, methods=["POST"])])
