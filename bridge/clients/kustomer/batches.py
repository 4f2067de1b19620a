"""Creates of several threads, sent together as one bulk request while there is a backlog.

A create joins the open batch of its kind. The thread that opened the batch waits until it is full or no more
comes, sends it, waits until Kustomer is through, and gives each of the others the result of its own item. So
each call is written by its own job as ever, which records the intent before and the id after, and whose lease
is looked at last.

What differs from a single create: Kustomer carries out a bulk request later. After a lost reply, or the death
of the process, an item may be made when a look has just found nothing. So the items of a request are noted in
`BulkLog` first, and nobody creates one of them again before that has run out (`obtain` in
`bridge/sync/writer.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bridge.clients import pace
from bridge.clients.kustomer.bulk import MOST_BYTES, MOST_ITEMS, PATIENCE_S, Bulk, ItemResult, Kind, size_of
from bridge.clients.kustomer.conflicts import says_taken
from bridge.clients.last_check import checked_at_last, current_check
from bridge.errors import (
    BridgeError,
    Busy,
    Conflict,
    Disconnected,
    LeaseLost,
    NotSent,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from bridge.logs import get_logger

log = get_logger(__name__)

# A request has up to three more for its results: fewer items are not worth it.
LEAST_ITEMS = 10
# A batch is sent when nothing joined it for so long, and at the latest after so long.
_QUIET_S, _LONGEST_WAIT_S = 0.3, 3.0
# After a refusal of the request itself, such as a role that is missing: single creates for so long.
_NOT_AGAIN_FOR_S = 600.0


class BulkLog(Protocol):
    """What the batches need of the ledger."""

    def is_wanted(self) -> bool:
        """Whether there is a backlog, and bulk requests were seen to work."""

    def begin(self, names: Sequence[str]) -> Collection[str]:
        """Note that these are about to be sent.

        Returns:
            Those that an earlier request may still make; they are not noted.
        """

    def end(self, names: Sequence[str]) -> None:
        """No request makes these any more."""


class _Alone(BridgeError):
    """To be created by a request of its own. Args: look: whether to look for it first."""

    def __init__(self, *, look: bool = False) -> None:
        super().__init__()
        self.look = look


@dataclass(slots=True, kw_only=True)
class _Item:
    body: Mapping[str, Any]
    size: int
    # Its lease, asked by its own thread before it joins, and by whoever sends it right before that.
    check: Callable[[], None]
    # Of the create; known by its external id.
    result: str | BridgeError | None = None

    @property
    def name(self) -> str:
        return str(self.body.get("externalId") or "")


@dataclass(slots=True)
class _Batch:
    kind: Kind
    items: list[_Item] = field(default_factory=list)
    size: int = 0
    joined_at: float = field(default_factory=time.monotonic)
    is_closed: bool = False
    done: threading.Event = field(default_factory=threading.Event)

    def has_room_for(self, item: _Item, most: int) -> bool:
        return not self.is_closed and len(self.items) < most and self.size + item.size <= MOST_BYTES


class Batches:
    """Shared by all threads of a process.

    Args:
        most, least: items of a request.
        quiet_s, longest_wait_s: for how long an open batch waits for more.
    """

    def __init__(
        self,
        bulk: Bulk,
        bulk_log: BulkLog,
        *,
        most: int = MOST_ITEMS,
        least: int = LEAST_ITEMS,
        quiet_s: float = _QUIET_S,
        longest_wait_s: float = _LONGEST_WAIT_S,
    ) -> None:
        self._bulk, self._log = bulk, bulk_log
        self._most, self._least = most, least
        self._quiet_s, self._longest_wait_s = quiet_s, longest_wait_s
        self._changed = threading.Condition()
        self._open: dict[Kind, _Batch] = {}
        self._not_before = 0.0

    def create(self, kind: Kind, body: Mapping[str, Any], find: Callable[[], str | None]) -> str | None:
        """Create one thing together with others.

        Args:
            body: of the single create; the reference of a note's conversation is part of it.
            find: looks for it; used where Kustomer refused it.

        Returns:
            Its id; None: nothing was made, create it by itself.

        Raises:
            RateLimited, NotSent, LeaseLost: nothing was sent.
            Conflict: it exists.
            Unavailable: it may be made later.
            Busy: an earlier request may still make it.
        """
        if time.monotonic() < self._not_before or not self._log.is_wanted():
            return None
        item = _Item(body=body, size=size_of(body), check=current_check())
        if item.size > MOST_BYTES:
            return None
        # In this thread, because what still waits to be sent to Redis, such as the intent, is this run's own:
        # no other thread can send it.
        item.check()
        batch, is_first = self._join(kind, item)
        if is_first:
            self._lead(batch)
        elif not batch.done.wait(pace.within(PATIENCE_S * 3)):
            raise Unavailable("no result of a bulk request came in time")
        try:
            return _outcome(item)
        except _Alone as alone:
            return find() if alone.look else None

    def _join(self, kind: Kind, item: _Item) -> tuple[_Batch, bool]:
        with self._changed:
            batch = self._open.get(kind)
            is_first = batch is None or not batch.has_room_for(item, self._most)
            if batch is None or is_first:
                batch = self._open[kind] = _Batch(kind)
            batch.items.append(item)
            batch.size += item.size
            batch.joined_at = time.monotonic()
            self._changed.notify_all()
            return batch, is_first

    def _lead(self, batch: _Batch) -> None:
        try:
            self._gather(batch)
            if len(batch.items) < self._least:
                _settle(batch.items, _Alone())
            else:
                self._send(batch)
        finally:
            # However this thread ends, nobody waits for it any longer; what has no result may have been made.
            _settle(batch.items, Unavailable("the sender of a bulk request ended without its results"))
            batch.done.set()

    def _gather(self, batch: _Batch) -> None:
        """Wait for more, then close the batch."""
        latest = time.monotonic() + self._longest_wait_s
        with self._changed:
            while len(batch.items) < self._most:
                wait_s = min(batch.joined_at + self._quiet_s, latest) - time.monotonic()
                if wait_s <= 0:
                    break
                self._changed.wait(wait_s)
            batch.is_closed = True
            if self._open.get(batch.kind) is batch:
                del self._open[batch.kind]

    def _send(self, batch: _Batch) -> None:
        items = _with_their_lease(batch.items)
        # Kustomer takes no second customer with a phone, so that nothing needs to be noted of these.
        names = [one.name for one in items] if batch.kind != "customers" else []
        if names:
            pending = self._log.begin(names)
            _settle([one for one in items if one.name in pending], _still_to_come())
            items = [one for one in items if one.result is None]
            names = [one.name for one in items]
        if len(items) < self._least:
            self._nothing_sent(items, names, _Alone())
            return
        try:
            bulk_id = self._submit(batch.kind, items)
        except RateLimited as error:
            # The slot that was booked is that of this thread.
            batch.items[0].result = batch.items[0].result or error
            self._nothing_sent(items, names, error)
        except LeaseLost:
            held_back = NotSent("another item of the same bulk request was held back")
            self._nothing_sent(_with_their_lease(items), names, held_back)
        except (NotSent, Disconnected) as error:
            self._nothing_sent(items, names, error)
        except (Rejected, Unauthorized, Conflict) as error:
            # Refused as a whole, before anything was made.
            log.warning("kustomer refused a bulk request", kind=batch.kind, why=type(error).__name__)
            self._not_before = time.monotonic() + _NOT_AGAIN_FOR_S
            self._nothing_sent(items, names, _Alone())
        except BridgeError as error:
            _settle(items, Unavailable(f"the reply to a bulk request is missing: {error}"))
        else:
            self._hand_out(items, bulk_id)
            self._end([one.name for one in items if names and not isinstance(one.result, Unavailable)])

    def _submit(self, kind: Kind, items: Sequence[_Item]) -> str:
        def check() -> None:
            for item in items:
                item.check()

        with checked_at_last(check):
            return self._bulk.submit(kind, [one.body for one in items])

    def _nothing_sent(self, items: Sequence[_Item], names: Sequence[str], error: BridgeError) -> None:
        self._end(names)
        _settle(items, error)

    def _end(self, names: Sequence[str]) -> None:
        if names:
            self._log.end(names)

    def _hand_out(self, items: Sequence[_Item], bulk_id: str) -> None:
        try:
            # For all of them, whatever became of the lease of this thread's own job.
            with checked_at_last(lambda: None):
                results = self._bulk.results(bulk_id, len(items))
        except BridgeError as error:
            _settle(items, Unavailable(f"the results of a bulk request are missing: {error}"))
            return
        for item, result in zip(items, results, strict=True):
            item.result = _result_of(result)
        made = sum(isinstance(item.result, str) for item in items)
        log.info("bulk request", items=len(items), made=made, id=bulk_id)


def _outcome(item: _Item) -> str:
    if isinstance(item.result, str):
        return item.result
    assert item.result is not None  # noqa: S101  # whoever leads sets all of them
    raise item.result


def _settle(items: Sequence[_Item], error: BridgeError) -> None:
    for item in items:
        if item.result is None:
            item.result = error if isinstance(error, _Alone) else _copy(error)


def _with_their_lease(items: Sequence[_Item]) -> list[_Item]:
    """Those whose lease holds; the others learn that theirs is lost."""
    for item in items:
        try:
            item.check()
        except LeaseLost as error:
            item.result = error
    return [item for item in items if item.result is None]


def _result_of(result: ItemResult) -> str | BridgeError:
    if result.id is not None:
        return result.id
    if result.error is None:
        return Unavailable("kustomer's results of a bulk request leave this item out")
    refusal = Rejected(f"kustomer: {result.error}", status=400, detail=result.error)
    if says_taken(refusal):
        return Conflict(f"kustomer says of an item of a bulk request that it exists: {result.error}")
    # A request of its own tells exactly what is wrong, and whether it was only the moment.
    return _Alone(look=True)


def _still_to_come() -> Busy:
    return Busy("an earlier bulk request may still create it", retry_after_s=30.0)


def _copy(error: BridgeError) -> BridgeError:
    """One for each thread: a raised exception gets the traceback of where it was raised."""
    if isinstance(error, RateLimited):
        return RateLimited(str(error), retry_after_s=error.retry_after_s)
    if isinstance(error, Busy):
        return Busy(str(error), retry_after_s=error.retry_after_s)
    if isinstance(error, Unavailable):
        return type(error)(str(error)) if type(error) in (Unavailable, NotSent) else Unavailable(str(error))
    return error
