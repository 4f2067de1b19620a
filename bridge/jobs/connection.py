"""Look at what was found closed, or of which a webhook spoke: once for all jobs that wait."""

from __future__ import annotations

from bridge.deps import Deps, JobResult
from bridge.errors import BridgeError, Disconnected
from bridge.ledger.queue.claims import Claim
from bridge.logs import get_logger

log = get_logger(__name__)


def check_connection(claim: Claim, deps: Deps) -> JobResult:
    """One look; the job's key is the scope. Again after a beat for as long as it is closed."""
    scope, connections = claim.key, deps.connections
    service, _, operation = scope.partition(":")
    look = deps.looks.get(service)
    down = connections.down(scope)
    is_refusal = down is not None and down.is_refusal
    if (look is None and not is_refusal) or (operation and down is None):
        # Its road was changed while it was down: jobs find the other one open.
        connections.mark_up(scope)
        return JobResult()
    try:
        if look is not None:
            look()
        if is_refusal:
            (deps.cloudtalk if service == "cloudtalk" else deps.kustomer).check()
    except Disconnected as error:
        if down is None:
            log.warning("connection down, its jobs wait", service=service, state=error.state)
        connections.mark_down(service, error)
    except BridgeError as error:
        log.info("connection could not be checked", service=service, cause=type(error).__name__)
        if down is None:
            # Nobody waits for it, and who needs it next will see.
            return JobResult()
    else:
        if not operation or not connections.probe(scope):
            woken = connections.mark_up(scope)
            if down is not None:
                log.info("connection is ready again", service=scope, woken=woken)
            return JobResult()
    state = found.state if (found := connections.down(scope)) else ""
    return JobResult(again_in_ms=round(connections.check_again_s(state) * 1000))
