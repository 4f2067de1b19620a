"""Calls of which CloudTalk has confirmed nothing yet: anybody with a token can make ids up.

Looks that find nothing have a quarter of the budget, all together: recordings and details of true calls
have the rest. Calls that wait share one request for CloudTalk's newest calls; what is on that list is
confirmed, and asked about like any other. What is too old for it is found by the clock's comparison
(`reconcile`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bridge.clients.cloudtalk import CallPage
from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.domain.call_list_item import ListedCall
from bridge.domain.phone import Phone
from bridge.errors import NotThereYet, RateLimited, TooManyLooks
from bridge.ledger.budgets.requesters import looking
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.queue.claims import Claim
from bridge.reconcile.compare import Span, ask_page

# Parts of the share: of all looks, and of those for the list, which are kept free for it.
ALL_LOOKS, LIST_LOOKS = 1 / 4, 1 / 12
# How far back the list is read.
_BACK = timedelta(hours=2)
_CONFIRMED_BY = frozenset({"detail", "identity", "listed", "recording"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One call of the list. Numbers are kept as digests: what is compared need not be known."""

    call_id: int
    started_at: datetime | None
    external: str
    internal: str
    direction: str

    def fits(self, call: Call) -> bool:
        """Whether it may be this call: nothing that both tell differs."""
        pairs = (
            (self.external, _digest(call.external)),
            (self.internal, _digest(call.internal)),
            (self.direction, call.direction.value if call.direction else ""),
        )
        return all(theirs == ours for theirs, ours in pairs if theirs and ours)


def is_confirmed(record: Record) -> bool:
    """Whether CloudTalk itself confirmed this call, by an answer, its list or its signature."""
    return bool(_CONFIRMED_BY & record.observations.keys()) or any(event.signed for event in record.events)


def is_asked_slowly(record: Record) -> bool:
    """Whether it is asked every few minutes, and CloudTalk itself: its newest calls may be others by now."""
    return "detail_gone" in record.observations


def ask(
    claim: Claim, deps: Deps, record: Record, call: Call, question: Callable[[], T], *, missed: bool = False
) -> T:
    """The answer about a call that is known by its number.

    Args:
        missed: asked before, in vain: asked again only once it is listed.

    Raises:
        NotThereYet: by CloudTalk's answer, or as its list does not have it.
        RateLimited: enough was looked for in vain, and the list is to be read again shortly.
    """
    if is_confirmed(record):
        return question()
    if not missed or is_asked_slowly(record) or not _may_be_listed(claim, deps, record, call):
        try:
            with looking(ALL_LOOKS - LIST_LOOKS) as look:
                answer = question()
                look.found = True
                return answer
        except TooManyLooks:
            if not _may_be_listed(claim, deps, record, call):
                raise
    _wait_for_list(claim, deps, record)
    if not deps.ledger.memory.newest_has(call.call_id):
        raise NotThereYet(
            f"CloudTalk has no details of call {call.call_id} (yet), and it is not among its newest calls"
        )
    return question()


def newest_of(claim: Claim, deps: Deps, record: Record, call: Call) -> list[Seen] | None:
    """The listed calls with the customer's number, by one list for all that wait; None: it is too old for it.

    Raises:
        RateLimited: the list is to be read again shortly.
    """
    if not _may_be_listed(claim, deps, record, call):
        return None
    _wait_for_list(claim, deps, record)
    return [_seen(item) for item in deps.ledger.memory.newest_of(_digest(call.external))]


def heard_at(record: Record, call: Call) -> datetime:
    """About when the call was."""
    return call.started_at or min((event.at for event in record.events), default=datetime.now(UTC))


def _may_be_listed(claim: Claim, deps: Deps, record: Record, call: Call) -> bool:
    """Whether it is recent enough for the list: in a storm, or if it lasted long, others may fill that."""
    since_ms = max(claim.now_ms - _BACK / timedelta(milliseconds=1), deps.ledger.memory.newest_since())
    return heard_at(record, call).timestamp() * 1000 > since_ms


def _wait_for_list(claim: Claim, deps: Deps, record: Record) -> None:
    """Have a list that is newer than what we know of the call, and note which one was looked at."""
    newest = max((event.last_at.timestamp() * 1000 for event in record.events), default=0)
    needed_ms = max(record.looked_at_ms, newest)
    asked_at = deps.ledger.memory.newest_read_at()
    if asked_at <= needed_ms:
        asked_at = _read_list(claim, deps, asked_at)
    deps.ledger.keep(claim, {Field.LOOKED_AT: str(asked_at)})


def _read_list(claim: Claim, deps: Deps, last_ms: int) -> int:
    """Read CloudTalk's newest calls for all that wait; when it was asked for them, ms since 1970."""
    now_ms = deps.ledger.now_ms()
    wait_ms = last_ms + _beat_ms(deps) - now_ms
    if wait_ms > 0:
        raise RateLimited(
            "one list of CloudTalk's newest calls is read for all waiting jobs", retry_after_s=wait_ms / 1000
        )
    # Held for as long as the job is: who dies with it keeps nobody waiting for longer than a lease.
    with deps.ledger.lock(claim, "newest", busy="CloudTalk's newest calls are being read"):
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        with looking(ALL_LOOKS):
            page = ask_page(deps, Span(since=now - _BACK, until=now), 1)
        _keep(deps, now_ms, page)
    return now_ms


def _keep(deps: Deps, asked_at: int, page: CallPage) -> None:
    ids: list[int] = []
    of: dict[str, list[list[object]]] = {}
    for call in page.calls:
        ids.append(call.call_id)
        seen = seen_of(call)
        at = seen.started_at.timestamp() if seen.started_at else None
        item: list[object] = [seen.call_id, at, seen.external, seen.internal, seen.direction]
        of.setdefault(seen.external, []).append(item)
    began = [call.started_at for call in page.calls if call.started_at] if page.pages > 1 else []
    since = int(min(began).timestamp() * 1000) if began else 0
    deps.ledger.memory.keep_newest(asked_at, since, ids, of)


def seen_of(call: ListedCall) -> Seen:
    return Seen(
        call_id=call.call_id,
        started_at=call.started_at,
        external=_digest(call.external),
        internal=_digest(call.internal),
        direction=call.direction.value if call.direction else "",
    )


def _seen(item: list[object]) -> Seen:
    call_id, started, external, internal, direction = item
    return Seen(
        call_id=int(str(call_id)),
        started_at=None if started is None else datetime.fromtimestamp(float(str(started)), UTC),
        external=str(external),
        internal=str(internal),
        direction=str(direction),
    )


def _beat_ms(deps: Deps) -> int:
    """How often the list may be read: so that it stays within its part of the share."""
    budget = deps.cloudtalk.service.budget
    return 0 if budget is None else int(budget.window_s * 1000 / max(1, int(budget.share * LIST_LOOKS)))


def _digest(phone: Phone | None) -> str:
    return "" if phone is None else hashlib.sha256(phone.text.encode()).hexdigest()[:16]
