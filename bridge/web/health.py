"""Whether the process lives, and whether it can take webhooks. Open to all, so without details."""

from __future__ import annotations

import asyncio
import logging

import redis
from starlette.requests import Request
from starlette.responses import JSONResponse

from bridge.journal.journal import Journal
from bridge.ledger.inbox import Inbox
from bridge.ledger.proof import CannotProve
from bridge.web.answers import REDIS_AWAY

log = logging.getLogger(__name__)

READY_WITHIN_S = 1.5


async def healthz(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    inbox: Inbox = request.app.state.inbox
    journal: Journal = request.app.state.journal
    checking: asyncio.Semaphore = request.app.state.checking
    try:
        async with asyncio.timeout(READY_WITHIN_S), checking:
            await inbox.ready()
    except CannotProve as error:
        # A journal would be no help: nothing of it could be handed on.
        log.warning("not ready", extra={"reason": str(error)})
        return JSONResponse({"status": "unready", "reason": str(error)}, status_code=503)
    except REDIS_AWAY as error:
        log.warning("not ready", extra={"error": type(error).__name__})
        reason = reason_of(error)
        if journal.takes_more:
            # Webhooks are taken, and that is what a balancer asks.
            return JSONResponse({"status": "ready", "note": f"{reason}; webhooks go to the journal"})
        if journal.is_on:
            reason += "; the journal is full, or its disk does not take more"
        return JSONResponse({"status": "unready", "reason": reason}, status_code=503)
    if journal.depth().stuck:
        # What comes now is kept; what came before, and waits there, needs a person.
        note = "a file of the journal cannot be handed on: the log names it, and the reason"
        return JSONResponse({"status": "ready", "note": note})
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
