"""What the web process is asked in the crash test, by whoever sends webhooks and looks at pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.chaos.crash.journeys import ENDED, KEY

# The name of this journey among those of the workers.
WEB = "web"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request, made again until it is answered with `status`."""

    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    signed_in: bool = True
    statuses: tuple[int, ...] = (200,)


_HOOK = "/webhooks/cloudtalk"
VISITS = (
    # A repeat is a duplicate: what was kept before the kill is not kept twice.
    Visit(method="POST", path=f"{_HOOK}/call-ended", body=ENDED, statuses=(202, 200)),
    Visit(method="POST", path=f"{_HOOK}/call-ended", body={"event": "call_ended"}, statuses=(202,)),
    Visit(method="POST", path=f"{_HOOK}/call-ended", body=ENDED, signed_in=False, statuses=(401,)),
    Visit(method="GET", path="/"),
    Visit(method="GET", path="/api/queue"),
    Visit(method="GET", path="/api/calls?limit=10"),
    Visit(method="GET", path=f"/api/calls/{KEY}"),
    Visit(method="POST", path=f"/api/calls/{KEY}/sync", statuses=(202,)),
    Visit(method="GET", path=f"/recordings/{KEY}?s=1.none", statuses=(200, 401, 403, 404)),
    Visit(method="GET", path="/metrics"),
    Visit(method="GET", path="/readyz"),
)
