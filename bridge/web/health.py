"""Whether the process lives, and whether it can take webhooks. Open to all, so without details."""

from __future__ import annotations

import asyncio
import logging

import redis
from starlette.requests import Request
from starlette.responses import JSONResponse

from bridge.ledger.inbox import Inbox
from bridge.web.answers import REDIS_AWAY

log = logging.getLogger(__name__)

READY_WITHIN_S = 1.5


async def healthz(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    inbox: Inbox = request.app.state.inbox
    checking: asyncio.Semaphore = request.app.state.checking
    try:
        async with asyncio.timeout(READY_WITHIN_S), checking:
            await inbox.ready()
    except REDIS_AWAY as error:
        log.warning("not ready", extra={"error": type(error).__name__})
        return JSONResponse({"status": "unready", "reason": reason_of(error)}, status_code=503)
    return JSONResponse({"status": "ready"})


def reason_of(error: BaseException) -> str:
    """What is the matter with Redis, in our words: its own may hold an address or a user's name."""
    match error:
        case redis.AuthenticationError() | redis.exceptions.NoPermissionError():
            return "Redis refuses the user or password of REDIS_URL"
        case redis.BusyLoadingError():
            return "Redis is still loading its data"
        case redis.ReadOnlyError():
            return "Redis is read-only: a replica, or not the master any more"
        case redis.exceptions.OutOfMemoryError():
            return "Redis is out of memory"
        case TimeoutError() | redis.TimeoutError():
            return "Redis does not answer in time"
        case redis.ConnectionError() | OSError():
            return "Redis cannot be reached"
        case _:
            return "Redis cannot be written"
