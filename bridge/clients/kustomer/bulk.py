"""Kustomer's bulk endpoints: up to 100 creates as one request of the budget, carried out later.

`POST /v1/{kind}/bulk` answers 201 with the id of a job, `GET /v1/bulk/{id}` says how far it is, and
`GET /v1/bulk/{id}/batches` what became of each item, told apart by the `_clientRef` that it was sent with.
The key needs the role org.permission.bulk.read for the last two.

Not documented: how long a job takes, whether its items are made in order, and whether what fails half-way is
tried again. So an item without a result counts as one whose reply was lost.

Source: Kustomer's guide "Bulk operations"; "Bulk create conversations", "Bulk create notes", "Get bulk
operation by ID", "Get bulk operation batches".
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from bridge.clients.http import Service
from bridge.clients.kustomer.resources import data_of, listed
from bridge.clients.paths import id_part, is_id
from bridge.errors import NotSent, RateLimited, Unavailable

T = TypeVar("T")
Kind = Literal["customers", "conversations", "notes"]

MOST_ITEMS = 100
# A request has at most 100 kB on most of Kustomer's endpoints; the brackets and references are ours.
MOST_BYTES = 90_000
_REF = "_clientRef"
# How long to wait between two looks, and in all. How long Kustomer takes is not documented.
_FIRST_LOOK_S, _LONGEST_PAUSE_S = 0.5, 8.0
# Longer than a window of the budget, which may close on the way.
PATIENCE_S = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one item. Without an id and an error: nobody knows."""

    id: str | None = None
    error: str | None = None


class Bulk:
    """
    Args:
        root: the API's address, to `/v1`.
        sleep: waits this many seconds.
    """

    def __init__(
        self,
        service: Service,
        root: str,
        *,
        patience_s: float = PATIENCE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._service, self._root = service, root
        self._patience_s, self._sleep = patience_s, sleep

    def submit(self, kind: Kind, items: Sequence[Mapping[str, Any]]) -> str:
        """Have these created; the id of the job. After Unavailable it may be at work all the same."""
        body = [{**item, _REF: str(number)} for number, item in enumerate(items)]
        reply = self._service.request("bulk_create", "POST", f"{self._root}/{kind}/bulk", json=body)
        data = data_of(reply.body)
        bulk_id = data.get("id") if isinstance(data, dict) else None
        if not isinstance(bulk_id, str) or not bulk_id:
            raise Unavailable("kustomer answered bulk_create without an id")
        return bulk_id

    def delete_customers(self, ids: Sequence[str]) -> None:
        """Have these deleted; it is carried out later."""
        params = {"ids": ",".join(ids)}
        self._service.request("bulk_delete", "DELETE", f"{self._root}/customers/bulk", params=params)

    def results(self, bulk_id: str, count: int) -> list[ItemResult]:
        """What became of each item, in the order in which they were sent; waits until the job is complete.

        Raises:
            Unavailable: it is not complete in time, or nobody could be asked.
        """
        ends_at = time.monotonic() + self._patience_s
        for pause_s in _pauses():
            self._wait(pause_s, ends_at)
            if self._asked(lambda: self._is_complete(bulk_id), ends_at):
                return self._asked(lambda: self._read_results(bulk_id, count), ends_at)
        raise AssertionError("unreachable")

    def _wait(self, seconds: float, ends_at: float) -> None:
        if time.monotonic() + seconds > ends_at:
            raise Unavailable(f"kustomer did not complete a bulk request within {self._patience_s:.0f} s")
        self._sleep(seconds)

    def _asked(self, question: Callable[[], T], ends_at: float) -> T:
        """The answer. To ask again does no harm, so a spent budget and a missing answer are waited out."""
        for pause_s in _pauses():
            try:
                return question()
            except RateLimited as error:
                # Not for whoever sends the items: to them it would say that nothing was sent.
                self._wait(max(pause_s, error.retry_after_s), ends_at)
            except NotSent as error:
                self._wait(pause_s, ends_at)
                if time.monotonic() > ends_at:
                    raise Unavailable(f"kustomer could not be asked about a bulk request: {error}") from error
            except Unavailable:
                self._wait(pause_s, ends_at)
        raise AssertionError("unreachable")

    def _is_complete(self, bulk_id: str) -> bool:
        reply = self._service.request("bulk_state", "GET", f"{self._root}/bulk/{id_part(bulk_id)}")
        return _attributes(data_of(reply.body)).get("status") == "complete"

    def _read_results(self, bulk_id: str, count: int) -> list[ItemResult]:
        url = f"{self._root}/bulk/{id_part(bulk_id)}/batches"
        body = self._service.request("bulk_results", "GET", url).body
        batches = body if isinstance(body, list) else data_of(body)
        found: dict[str, ItemResult] = {}
        for batch in listed(batches, dict):
            for one in listed(_attributes(batch).get("results"), dict):
                found[str(one.get(_REF))] = _item_result(one)
        return [found.get(str(number), ItemResult()) for number in range(count)]


def size_of(item: Mapping[str, Any]) -> int:
    """Bytes that it adds to a request."""
    return len(json.dumps(item)) + 40


def _pauses() -> Iterator[float]:
    pause_s = _FIRST_LOOK_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _attributes(data: Any) -> Mapping[str, Any]:
    """Shown with an envelope in the reference, and without one in the guide."""
    if not isinstance(data, dict):
        return {}
    attributes = data.get("attributes")
    return {**data, **attributes} if isinstance(attributes, dict) else data


def _item_result(one: Mapping[str, Any]) -> ItemResult:
    object_id = one.get("objectId")
    if one.get("status") in ("created", "updated") and is_id(object_id):
        return ItemResult(id=object_id)
    if one.get("status") == "error":
        return ItemResult(error=str(one.get("error") or "no reason given")[:500])
    return ItemResult()
