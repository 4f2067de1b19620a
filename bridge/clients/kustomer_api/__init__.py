"""All of Kustomer that the catalogue of actions names: customers, conversations, companies, users,
messages, notes.

Source: Kustomer's "Core Resources". Requests are plain objects, answers JSON:API envelopes. There are no
idempotency keys, so that a create whose answer was lost is never repeated by itself.
"""

from __future__ import annotations

from bridge.clients.http import Service
from bridge.clients.kustomer_api.resources import (
    Companies,
    Conversations,
    Customers,
    Messages,
    Notes,
    Users,
)


class KustomerApi:
    """All of Kustomer, by kind. `url` ends at the host."""

    def __init__(self, service: Service, *, url: str) -> None:
        self.service, self.url = service, url
        paths = f"{url}/v1"
        self.customers = Customers(service, paths)
        self.conversations = Conversations(service, paths)
        self.companies = Companies(service, paths)
        self.users = Users(service, paths)
        self.messages = Messages(service, paths)
        self.notes = Notes(service, paths)
