"""What the web process is asked in the crash test, by whoever sends webhooks and looks at pages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.journal.files import JournalFile
from tests.chaos.crash.one_call import CALL_ID, ENDED, KEY
from tests.chaos.crash.watch import JOURNAL_METHODS


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request, made again until it is answered with `status`.

    Args:
        ends: its answer does; of another only the beginning is waited for.
    """

    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    signed_in: bool = True
    ends: bool = True
    statuses: tuple[int, ...] = (200,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What a web process lives through.

    Args:
        environ: its own settings.
        redis: settings of Redis for as long as it is visited; afterwards they are as before.
        prepare: what is in its folder before it starts.
        only: the boundaries to kill at, the first time only as it tries some again and again; empty: all.
    """

    visits: tuple[Visit, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    redis: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], object] = lambda folder: None
    only: frozenset[str] = frozenset()


OPS_TOKEN = "crash-token-of-the-pages"
_HOOK = "/webhooks/cloudtalk"
_WEBHOOKS = (
    # A repeat is a duplicate: what was kept before the kill is not kept twice.
    Visit(method="POST", path=f"{_HOOK}/call-ended", body=ENDED, statuses=(202, 200)),
    Visit(method="POST", path=f"{_HOOK}/call-ended", body={"event": "call_ended"}, statuses=(202,)),
)
_ALL = (
    *_WEBHOOKS,
    Visit(method="POST", path=f"{_HOOK}/call-ended", body=ENDED, signed_in=False, statuses=(401,)),
    Visit(method="POST", path="/webhooks/membrane", body={"event": "connection.deleted"}, statuses=(202,)),
    Visit(method="GET", path="/"),
    Visit(method="GET", path="/calls"),
    Visit(method="GET", path=f"/calls/{KEY}"),
    Visit(method="GET", path="/api/events", ends=False),
    Visit(method="GET", path="/api/queue"),
    Visit(method="GET", path="/api/calls?limit=10"),
    Visit(method="GET", path=f"/api/calls/{KEY}"),
    Visit(method="POST", path=f"/api/calls/{KEY}/sync", statuses=(202,)),
    Visit(method="GET", path=f"/recordings/{KEY}?s=1.none", statuses=(200, 401, 403, 404)),
    Visit(method="GET", path="/metrics"),
    Visit(method="POST", path="/login", form={"token": OPS_TOKEN}, signed_in=False, statuses=(303,)),
    Visit(method="GET", path="/api/queue", signed_in=False),
    Visit(method="POST", path="/logout", signed_in=False, statuses=(303,)),
    Visit(method="GET", path="/api/queue", signed_in=False, statuses=(401,)),
    Visit(method="GET", path="/readyz"),
)


def _left_behind(folder: Path) -> None:
    """A journal of a process that died, as any that was killed leaves it."""
    came_at_ms = int(time.time() * 1000)
    record = {"at": came_at_ms, "trigger": "call-started", "body": {"call_id": CALL_ID + 1}}
    file = JournalFile.create(folder / "journal")
    file.append([json.dumps(record).encode()], at_ms=came_at_ms)
    file.release()


STAYS = {
    "web": Stay(visits=_ALL, environ={"OPS_TOKEN": OPS_TOKEN}),
    "web, accepting after disk": Stay(
        visits=_WEBHOOKS,
        environ={"ACCEPT_AFTER": "disk"},
        redis={"appendfsync": "always"},
        only=frozenset({"inbox.batch"}),
    ),
    "web, while Redis takes nothing": Stay(
        visits=_WEBHOOKS,
        environ={"JOURNAL_MB": "1"},
        # As after a failover: it answers, and refuses every write.
        redis={"min-replicas-to-write": "1"},
        prepare=_left_behind,
        only=frozenset({"inbox.ping", "inbox.keep_all", *(f"journal.{one}" for one in JOURNAL_METHODS)}),
    ),
}
