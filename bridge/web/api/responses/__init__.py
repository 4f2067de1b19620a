"""What `/api` answers, by topic. OpenAPI is made from these, and tests hold every answer against them.

Here are the answers of whole requests, which the table of operations names; their parts are in the modules.
"""

from __future__ import annotations

from bridge.web.api.responses.accounts import Accounts
from bridge.web.api.responses.audits import Audit, Audits
from bridge.web.api.responses.base import Problem
from bridge.web.api.responses.calls import Call, Calls, CustomerAssigned, GivenUp, LookedFor, Queued, Receipt
from bridge.web.api.responses.history import Received, Refused, RefusedHours, Trail
from bridge.web.api.responses.messages import Message, Messages
from bridge.web.api.responses.replays import ReplayRun, ReplayRuns
from bridge.web.api.responses.status import Processes, Queue, Rules, Status
from bridge.web.api.responses.work import (
    Assigned,
    DroppedOrWould,
    Held,
    HeldDropped,
    Parked,
    Replayed,
    WouldReplay,
)

__all__ = [
    "Accounts",
    "Assigned",
    "Audit",
    "Audits",
    "Call",
    "Calls",
    "CustomerAssigned",
    "DroppedOrWould",
    "GivenUp",
    "Held",
    "HeldDropped",
    "LookedFor",
    "Message",
    "Messages",
    "Parked",
    "Problem",
    "Processes",
    "Queue",
    "Queued",
    "Receipt",
    "Received",
    "Refused",
    "RefusedHours",
    "ReplayRun",
    "ReplayRuns",
    "Replayed",
    "Rules",
    "Status",
    "Trail",
    "WouldReplay",
]
