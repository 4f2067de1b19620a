"""Flask (gunicorn, eight threads) and RQ: `queue.enqueue`; results are not kept."""

from __future__ import annotations

import hmac
import json
import os
from typing import Any

import redis
from flask import Flask, request
from rq import Queue

TOKEN = os.environ["TOKEN"].encode()
store = redis.Redis.from_url(os.environ["REDIS_URL"])
queue = Queue(connection=store)
app = Flask(__name__)


def work(key: str) -> None: ...


@app.post("/webhooks/cloudtalk/<trigger>")
def receive(trigger: str) -> tuple[dict[str, Any], int]:
    token = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
    if not hmac.compare_digest(token, TOKEN):
        return {"error": "unknown token"}, 401
    body = request.get_json()
    key = f"event:{body['event']}:{body['call_id']}"
    if not store.set(key, json.dumps(body), nx=True, ex=30 * 86_400):
        return {"status": "duplicate"}, 200
    queue.enqueue(work, key, result_ttl=0)
    return {"status": "accepted"}, 202
