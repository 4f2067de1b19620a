"""What people did by hand, newest first: who, when, what. No numbers or names of callers stand in it."""

from __future__ import annotations

import getpass
import json
import socket
from datetime import datetime
from typing import Any, cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.record import moment
from bridge.ledger.ledger import Ledger


def person() -> str:
    """Whoever runs this command: the system's user and host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A user id without a name, as in many containers.
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def line(ledger: Ledger, *, who: str, what: str, call: str = "", more: str = "") -> str:
    """One line as it is kept, for a script that keeps it with what it tells of."""
    return json.dumps({"at": ledger.now_ms(), "who": who, "what": what, "call": call, "more": more})


@boundary("trail.leave")
def leave(ledger: Ledger, *, who: str, what: str, call: str = "", more: str = "") -> None:
    """Keep one line. A call's key stays also when the call is forgotten: it says nothing of a person."""
    text = line(ledger, who=who, what=what, call=call, more=more)
    pipe = ledger.redis.pipeline()
    pipe.lpush(keys.TRAIL, text)
    pipe.ltrim(keys.TRAIL, 0, keys.TRAIL_LINES - 1)
    pipe.expire(keys.TRAIL, ledger.keep_for.outputs_s)
    pipe.execute()


@boundary("trail.read")
def read(
    ledger: Ledger,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    most: int = keys.TRAIL_LINES,
) -> list[dict[str, Any]]:
    """The lines from `since` on and before `until`, newest first, with `at` as ISO 8601 text."""
    found = []
    for text in cast(list[str], ledger.redis.lrange(keys.TRAIL, 0, most - 1)):
        kept = json.loads(text)
        at = cast(datetime, moment(kept["at"]))
        if (since is None or at >= since) and (until is None or at < until):
            found.append({**kept, "at": at.isoformat()})
    return found
