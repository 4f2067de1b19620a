"""What people did by hand, newest first: who, when, what. No numbers or names of callers stand in it."""

from __future__ import annotations

import getpass
import json
import socket
from datetime import datetime
from typing import Any, cast

from bridge.boundary import boundary
from bridge.errors import WrongUse
from bridge.ledger import keys
from bridge.ledger.calls.record import moment
from bridge.ledger.ledger import Ledger
from bridge.ledger.paging import Page, Place


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


def trail_page(
    ledger: Ledger,
    *,
    who: str = "",
    call: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str = "",
    limit: int = 50,
) -> Page[dict[str, Any]]:
    """One page of the lines that pass the filters, newest first.

    Args:
        who: only of this person.
        call: only of the call with this key.
    Raises:
        WrongUse: the cursor is none of ours.
    """
    lines = [
        line
        for line in read(ledger, since=since, until=until)
        if who in ("", line["who"]) and call in ("", line["call"])
    ]
    # Lines come in front and go at the end: a place is a time, and how many lines of that time were given.
    last = Place.read(cursor)
    skipped = 0
    if last is not None:
        if not last.name.isdecimal():
            raise WrongUse("cursor: must be the `next` value of the previous answer")
        at = cast(datetime, moment(last.score)).isoformat()
        skipped = sum(line["at"] > at for line in lines) + int(last.name[:6])
    found = lines[skipped : skipped + limit]
    if skipped + limit >= len(lines):
        return Page(items=found, next=None)
    at = found[-1]["at"]
    same = sum(line["at"] == at for line in lines[: skipped + limit])
    ms = round(datetime.fromisoformat(at).timestamp() * 1000)
    return Page(items=found, next=str(Place(score=ms, name=str(same))))
