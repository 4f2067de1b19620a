"""CloudTalk's cue cards: what an agent sees beside an active call. `POST /cuecards` of the platform host."""

from __future__ import annotations

from uuid import UUID

from bridge.clients.http import Service
from bridge.errors import NotThereYet, Rejected, Unavailable

# The text of `content` is HTML. The schema has a `type` without saying which there are; one integrator
# writes another word here, so it does not seem to be checked.
_TYPE = "html"


class CueCards:
    """
    Args:
        platform: address up to and with `/api`.
    """

    def __init__(self, service: Service, platform: str) -> None:
        self._service, self._url = service, f"{platform}/cuecards"

    def show(self, call: UUID, *, title: str, content: str, subtitle: str = "") -> None:
        """Show a card to the agents of a call: each time is another card. It names no agent.

        Args:
            content: HTML.

        Raises:
            NotThereYet: 424; no such call is active, or not yet. Not shown.
            Rejected: 400, or a success that says otherwise. Not shown.
            NotSent, RateLimited, Unauthorized: not shown.
            Unavailable: no answer, or a 5xx: it may have been shown.
        """
        body = {"call_uuid": str(call), "type": _TYPE, "title": title, "content": content}
        if subtitle:
            body["subtitle"] = subtitle
        try:
            answer = self._service.request("cue_card", "POST", self._url, json=body).body
        except Rejected as error:
            if error.status != 424:
                raise
            raise NotThereYet("CloudTalk has no such active call (yet)") from error
        shown = answer.get("success") if isinstance(answer, dict) else None
        if shown is False:
            raise Rejected("cloudtalk answered cue_card that it was not shown", status=200)
        if shown is not True:
            raise Unavailable("cloudtalk answered cue_card without saying whether it was shown")
