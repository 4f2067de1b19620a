"""Clients whose other end is in the test's hands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2

from bridge.actions import OPERATIONS, Services, perform
from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.http import make_client
from bridge.clients.kustomer import Kustomer
from bridge.clients.shapes import RequestModel
from bridge.ledger.budgets.budget import Budget, Slot
from bridge.sandbox import (
    AI_PREFIX,
    ANALYTICS_PREFIX,
    CLOUDTALK_KEY_ID,
    CLOUDTALK_KEY_SECRET,
    CORE_PREFIX,
    KUSTOMER_KEY,
)

Answer = Callable[[httpx2.Request], httpx2.Response]


class Booked(Budget):
    """A budget that is never spent, and remembers what was booked on it."""

    def __init__(self) -> None:
        self.service, self.window_s = "test", 60.0
        self.booked: list[tuple[str, str, float]] = []
        self.rate_limits: list[tuple[int, int, float | None] | None] = []

    def take(self, *, if_closed: Callable[[], None] | None = None) -> Slot:
        if if_closed is not None:
            if_closed()
        return Slot(service=self.service, name="slot")

    def replied(
        self,
        slot: Slot,
        *,
        operation: str,
        status: str,
        closed_for_s: float = 0,
        rate_limits: tuple[int, int, float | None] | None = None,
        seconds: float | None = None,
        at_once: bool = False,
    ) -> None:
        self.booked.append((operation, status, closed_for_s))
        self.rate_limits.append(rate_limits)


class Wire:
    """The far end of a client: answers as told and keeps every request."""

    def __init__(self, answer: Answer | httpx2.Response) -> None:
        self._answer = answer
        self.requests: list[httpx2.Request] = []
        self.client = make_client(httpx2.MockTransport(self._reply))

    def _reply(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self._answer if isinstance(self._answer, httpx2.Response) else self._answer(request)

    def action(self, key: str, request: RequestModel) -> Any:
        """What an action answers, typed."""
        services = Services(cloudtalk=self.cloudtalk(), kustomer=self.kustomer())
        return perform(OPERATIONS[key], request, services)

    def kustomer(self, budget: Budget | None = None) -> Kustomer:
        return kustomer_at("https://kustomer.example", self.client, budget)

    def cloudtalk(self, budget: Budget | None = None) -> CloudTalk:
        return cloudtalk_at("https://cloudtalk.example", self.client, budget)


def kustomer_at(url: str, client: httpx2.Client, budget: Budget | None = None) -> Kustomer:
    return Kustomer(client=client, url=url, api_key=KUSTOMER_KEY, budget=budget)


def cloudtalk_at(url: str, client: httpx2.Client, budget: Budget | None = None) -> CloudTalk:
    return CloudTalk(
        client=client,
        core=url + CORE_PREFIX,
        analytics=url + ANALYTICS_PREFIX,
        ai=url + AI_PREFIX,
        key_id=CLOUDTALK_KEY_ID,
        key_secret=CLOUDTALK_KEY_SECRET,
        budget=budget,
    )


def resource(
    id_: str, kind: str = "customer", company: str | None = None, **attributes: Any
) -> dict[str, Any]:
    """One of Kustomer's resources, without its envelope."""
    links = {"company": {"data": {"type": "company", "id": company}}} if company else {}
    return {"type": kind, "id": id_, "attributes": attributes, "relationships": links}
