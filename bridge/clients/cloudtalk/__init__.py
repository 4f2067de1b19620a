"""CloudTalk's API, by topic.

Source: CloudTalk's OpenAPI "1.7". Ids and seconds come as number or text, numbers with or without a plus.
60 requests a minute for the whole company. Answers are checked for their envelope and handed on as they came,
or as the domain reads them. This client repeats nothing: whoever calls it decides what to do about a lost
reply. The typed requests and responses of the actions are in `requests.py` and `responses.py`; they take a
while to build, and workers start without them.
"""

from __future__ import annotations

import base64

import httpx2

from bridge.clients.cloudtalk.agents import Agent, Agents
from bridge.clients.cloudtalk.calls import CallPage, Calls
from bridge.clients.cloudtalk.contacts import Contacts
from bridge.clients.cloudtalk.core import LARGEST_PAGE
from bridge.clients.cloudtalk.cue_cards import CueCards
from bridge.clients.cloudtalk.insights import CallInsights
from bridge.clients.cloudtalk.messages import Messages
from bridge.clients.cloudtalk.recordings import Download, Recordings
from bridge.clients.http import Service
from bridge.clients.ports import Budget, Gate
from bridge.clients.standing import KeyCheck

__all__ = ["LARGEST_PAGE", "Agent", "CallPage", "CloudTalk", "Download"]


class CloudTalk:
    """
    Args:
        client: with keys of ours, or a road that adds the credentials.
        core, analytics, platform: addresses up to and with `/api`.
        ai: of Conversation Intelligence, up to and with `/v1`.
        key_id, key_secret: None where the road adds the credentials.
        unauthenticated: for addresses that need no credentials; default: `client`.
        max_range_bytes, fallback: see `Recordings`.
        gate: see `Service`.
    """

    def __init__(
        self,
        *,
        client: httpx2.Client,
        core: str,
        analytics: str,
        platform: str = "",
        ai: str = "https://api.cloudtalk.io/v1",
        key_id: str | None,
        key_secret: str | None,
        budget: Budget | None = None,
        unauthenticated: httpx2.Client | None = None,
        max_range_bytes: int | None = None,
        fallback: CloudTalk | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.core, self.analytics = core, analytics
        self.service = Service(
            "cloudtalk",
            client=client,
            headers=_headers(key_id, key_secret),
            budget=budget,
            unauthenticated=unauthenticated,
            gate=gate,
            key_check=KeyCheck(
                url=f"{core}/agents/index.json",
                params={"limit": "1"},
                advice="Make a new key in CloudTalk: Account > Settings > API keys.",
                refused=(406,),
            ),
        )
        self.check = self.service.check
        self.calls = Calls(self.service, core, analytics)
        self.cue_cards = CueCards(self.service, platform)
        self.contacts = Contacts(self.service, core)
        self.agents = Agents(self.service, core)
        self.messages = Messages(self.service, core)
        self.insights = CallInsights(self.service, ai)
        other = fallback.recordings if fallback else None
        self.recordings: Recordings = Recordings(
            self.service, core, max_range_bytes=max_range_bytes, fallback=other
        )

    def use_key(self, key_id: str | None, key_secret: str | None) -> None:
        """Sign in with this key from the next request on."""
        self.service.sign_in(_headers(key_id, key_secret))


def _headers(key_id: str | None, key_secret: str | None) -> dict[str, str]:
    if not key_id or not key_secret:
        return {}
    return {"authorization": f"Basic {base64.b64encode(f'{key_id}:{key_secret}'.encode()).decode()}"}
