"""Kustomer's API, one class a kind of resource.

Requests are plain objects, answers JSON:API envelopes; unknown properties are refused, so only what is
documented is sent. There are no idempotency keys and this client repeats nothing: whoever calls it decides
what to do about a lost reply. The bridge's jobs look before they repeat a write (`bridge.sync.writer`); an
action is done at most once (`bridge.at_most_once`).

Source: Kustomer's "Core Resources". The typed requests and responses of the actions are in `requests.py` and
`responses.py`; they take a while to build, and workers start without them.
"""

from __future__ import annotations

from functools import partial

import httpx2

from bridge.clients.both_budgets import BothBudgets
from bridge.clients.http import Service
from bridge.clients.kustomer.attachments import Attachments
from bridge.clients.kustomer.batches import Batches, BulkLog
from bridge.clients.kustomer.bulk import Bulk
from bridge.clients.kustomer.companies import Companies
from bridge.clients.kustomer.conversations import Conversation, Conversations
from bridge.clients.kustomer.customers import Customer, Customers, new_customer
from bridge.clients.kustomer.klasses import CustomObjects
from bridge.clients.kustomer.messages import Message, Messages
from bridge.clients.kustomer.notes import Note, Notes
from bridge.clients.kustomer.people import Teams, Users
from bridge.clients.kustomer.resources import Resource
from bridge.clients.ports import Budget, Gate
from bridge.clients.standing import KeyCheck

__all__ = ["Conversation", "Customer", "Kustomer", "Message", "Note", "Resource", "new_customer"]


class Kustomer:
    """
    Args:
        client: with a key of ours, or a road that adds the credentials.
        url: ends at the host.
        api_key: None where the road adds it.
        unauthenticated: for uploads, which go to another host without a key; default: `client`.
        gate: see `Service`.
        search_budget: of searches, beside `budget`.
        bulk_log: has creates sent together in a backlog; None: each is a request.
    """

    def __init__(
        self,
        *,
        client: httpx2.Client,
        url: str,
        api_key: str | None,
        budget: Budget | None = None,
        unauthenticated: httpx2.Client | None = None,
        gate: Gate | None = None,
        search_budget: Budget | None = None,
        bulk_log: BulkLog | None = None,
    ) -> None:
        self.url = url
        root = f"{url}/v1"
        # Not /users/current, the usual check of a key: that needs a role which the bridge can do without.
        key_check = KeyCheck(
            url=f"{root}/customers",
            params={"page": "1", "pageSize": "1"},
            advice="Check the key's expiry, roles and allowed addresses: Settings > Security > API Keys.",
        )
        service = partial(
            Service,
            "kustomer",
            client=client,
            headers=_headers(api_key),
            unauthenticated=unauthenticated,
            gate=gate,
            key_check=key_check,
        )
        self.service = service(budget=budget)
        both = BothBudgets(whole=budget, part=search_budget) if budget and search_budget else budget
        searching = service(budget=both)
        self._services = (self.service, searching)
        self.check = self.service.check
        self.bulk = Bulk(self.service, root)
        self.customers = Customers(self.service, root, searching=searching)
        self.conversations = Conversations(self.service, root)
        self.companies = Companies(self.service, root)
        self.custom_objects = CustomObjects(self.service, root)
        self.users = Users(self.service, root)
        self.teams = Teams(self.service, root)
        self.messages = Messages(self.service, root)
        self.notes = Notes(self.service, root)
        self.attachments = Attachments(self.service, unauthenticated or client, root)
        if bulk_log is not None:
            self.use(Batches(self.bulk, bulk_log))

    def use_key(self, api_key: str | None) -> None:
        """Sign in with this key from the next request on."""
        for service in self._services:
            service.sign_in(_headers(api_key))

    def use(self, batches: Batches) -> None:
        """Have creates of jobs sent together in a backlog."""
        self.customers.batches = self.conversations.batches = self.notes.batches = batches


def _headers(api_key: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {api_key}"} if api_key else {}
