"""Look at a connection that was found down, or of which a webhook spoke: once for all jobs that wait."""

from __future__ import annotations

from bridge.errors import BridgeError, Disconnected
from bridge.jobs.deps import Deps, End
from bridge.ledger.ledger import Claim
from bridge.logs import get_logger

log = get_logger(__name__)


def look_at_connection(claim: Claim, deps: Deps) -> End:
    """One look; the job's key is the service. Again after a beat for as long as it is not ready."""
    service, connections = claim.key, deps.connections
    look = deps.looks.get(service)
    if look is None:
        # Its road was changed while it was down: jobs find the other one open.
        connections.mark_up(service)
        return End()
    was_down = connections.down(service) is not None
    try:
        look()
    except Disconnected as error:
        if not was_down:
            log.warning("connection is down, jobs that need it wait", service=service, state=error.state)
        connections.mark_down(service, error)
    except BridgeError as error:
        log.info("connection could not be looked at", service=service, cause=type(error).__name__)
        if not was_down:
            # Nobody waits for it, and who needs it next will see.
            return End()
    else:
        woken = connections.mark_up(service)
        if was_down:
            log.info("connection is ready again", service=service, woken=woken)
        return End()
    return End(again_in_ms=round(connections.check_every_s * 1000))
