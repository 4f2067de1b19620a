"""Whether the process lives, and whether it can take webhooks. Open to all, so without details."""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import JSONResponse

from bridge.journal.journal import Journal
from bridge.ledger.calls.inbox import Inbox
from bridge.ledger.faults import server_fault
from bridge.ledger.proof import CannotProve
from bridge.logs import AtMost
from bridge.web.answers import REDIS_AWAY

log = logging.getLogger(__name__)
log.addFilter(AtMost())

READY_WITHIN_S = 1.5
STOPPING = "this process is stopping; it still answers for some seconds"
# A script of ours that fails by itself: no webhook could be kept, and no journal handed on.
REFUSED = "one of the bridge's scripts fails in Redis"


async def healthz(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    """What a webhook would meet now: its own scripts are tried, and errors are read by the same function.

    A process that drains still takes webhooks; 503 has the balancer send the next ones elsewhere.
    """
    if request.app.state.traffic.is_draining:
        return _unready(STOPPING)
    inbox: Inbox = request.app.state.inbox
    journal: Journal = request.app.state.journal
    checking: asyncio.Semaphore = request.app.state.checking
    try:
        async with asyncio.timeout(READY_WITHIN_S), checking:
            notes = await inbox.ready()
    except CannotProve as error:
        # A journal would be no help: nothing of it could be handed on.
        return _unready(str(error))
    except REDIS_AWAY as error:
        fault = server_fault(error)
        if fault is not None and journal.takes_more:
            # Webhooks are taken, and that is what a balancer asks.
            log.warning("webhooks are stored in the journal", extra={"reason": fault.says})
            return JSONResponse(
                {"status": "ready", "note": f"{fault.says}; webhooks are stored in the journal"}
            )
        reason = fault.says if fault is not None else REFUSED
        return _unready(f"{reason}; {journal.obstacle}" if journal.obstacle else reason)
    unproven = request.app.state.acceptor.unproven
    if unproven is not None:
        return _unready(unproven)
    # What is taken now is written later; a balancer must not turn webhooks away for that.
    if journal.depth().stuck:
        # What comes now is kept; what came before, and waits there, needs a person.
        notes.append("a journal file cannot be replayed; see the log for its name and the reason")
    return JSONResponse({"status": "ready", **({"note": "; ".join(notes)} if notes else {})})


def _unready(reason: str) -> JSONResponse:
    log.warning("not ready", extra={"reason": reason})
    return JSONResponse({"status": "unready", "reason": reason}, status_code=503)
