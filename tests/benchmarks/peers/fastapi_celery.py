"""FastAPI and Celery: a plain function in FastAPI's threads, `task.delay`; results are not kept."""

from __future__ import annotations

import hmac
import json
import os
from typing import Annotated, Any

import redis
from celery import Celery
from fastapi import FastAPI, Header, Response

TOKEN = os.environ["TOKEN"].encode()
store = redis.Redis.from_url(os.environ["REDIS_URL"])
queue = Celery(broker=os.environ["CELERY_BROKER"])
queue.conf.task_ignore_result = True
app = FastAPI()


@queue.task
def work(key: str) -> None: ...


@app.post("/webhooks/cloudtalk/{trigger}", status_code=202)
def receive(
    body: dict[str, Any], response: Response, authorization: Annotated[str, Header()] = ""
) -> dict[str, str]:
    if not hmac.compare_digest(authorization.removeprefix("Bearer ").encode(), TOKEN):
        response.status_code = 401
        return {"error": "unknown token"}
    key = f"event:{body['event']}:{body['call_id']}"
    if not store.set(key, json.dumps(body), nx=True, ex=30 * 86_400):
        response.status_code = 200
        return {"status": "duplicate"}
    work.delay(key)
    return {"status": "accepted"}
