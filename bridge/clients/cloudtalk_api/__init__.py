"""All of CloudTalk that the catalogue of actions names: contacts, calls, agents, SMS.

Source: CloudTalk's OpenAPI "1.7". PUT creates, POST edits. Its types are not those of its schema, which
`bridge.clients.shapes` absorbs. 60 requests a minute for the whole company.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from bridge.clients.cloudtalk_api.agents import Agents
from bridge.clients.cloudtalk_api.calls import Calls
from bridge.clients.cloudtalk_api.contacts import Contacts
from bridge.clients.cloudtalk_api.messages import Messages
from bridge.clients.download import Download
from bridge.clients.http import Service


class CloudTalkApi:
    """All of CloudTalk, by topic. `core` and `analytics` are addresses up to and with `/api`."""

    def __init__(
        self,
        service: Service,
        *,
        core: str,
        analytics: str,
        recording: Callable[[int], AbstractContextManager[Download]],
    ) -> None:
        self.service, self.core, self.analytics = service, core, analytics
        self.contacts = Contacts(service, core)
        self.calls = Calls(service, core, analytics, recording)
        self.agents = Agents(service, core)
        self.messages = Messages(service, core)
