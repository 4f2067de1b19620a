"""Conversation Intelligence: what CloudTalk's AI says of one call.

A paid add-on: without it 403 (or 404). Its host answers plain objects; errors as `{code, message}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.clients.http import Service
from bridge.domain import insights
from bridge.domain.insights import Segment, Transcript, read_page
from bridge.domain.webhook.values import read_whole
from bridge.errors import NotThereYet, Rejected, Unavailable

PAGE = 1_000
_MOST_PAGES = 40
# A call of several hours has some thousand segments; beyond this it is cut, and said to be.
MOST_SEGMENTS = 20_000
MOST_CHARACTERS = 2_000_000


class CallInsights:
    """
    Args:
        url: the host's address up to and with `/v1`.
    """

    def __init__(self, service: Service, url: str) -> None:
        self._service, self._url = service, url

    def get(self, call_id: int, name: str) -> Mapping[str, Any]:
        """One insight as it came (`bridge.domain.insights.keep_answer` reads it).

        Args:
            name: of `insights.NAMES`; the transcript has a method of its own.

        Raises:
            NotThereYet: 404; not ready yet, or never: the answer is the same.
            Unauthorized: 403; the account lacks the add-on.
        """
        match name:
            case insights.SUMMARY:
                return self._page("call_summary", call_id, "summary")
            case insights.SENTIMENT:
                return self._page("call_sentiment", call_id, "overall-sentiment")
            case insights.SMART_NOTES:
                return self._page("call_smart_notes", call_id, "smart-notes")
            case insights.TOPICS:
                # It comes in pages: one that holds all.
                return self._page("call_topics", call_id, "topics", {"limit": "100"})
            case insights.TALK_RATIO:
                return self._page("call_talk_ratio", call_id, "talk-listen-ratio")
            case insights.DETAILS_LINK:
                return self._page("call_details_link", call_id, "details-link")
        raise ValueError(f"no insight is called {name!r}")

    def transcript(self, call_id: int) -> Transcript:
        """All of it, page by page, up to `MOST_SEGMENTS` and `MOST_CHARACTERS`; raises as `get`."""
        found: list[Segment] = []
        speakers: dict[str, insights.Speaker] = {}
        size = came = 0
        for _ in range(_MOST_PAGES):
            query = {"limit": str(PAGE), "offset": str(came)}
            raw = self._page("call_transcription", call_id, "transcription", query)
            segments, who = read_page(raw)
            speakers = who | speakers
            for one in segments:
                size += len(one.text)
                if size > MOST_CHARACTERS or len(found) == MOST_SEGMENTS:
                    return Transcript(segments=tuple(found), speakers=speakers, is_whole=False)
                found.append(one)
            number = _count(raw)
            came += number
            pagination = raw.get("pagination")
            total = read_whole(pagination.get("total")) if isinstance(pagination, dict) else None
            # If the answer has a total, a page may be shorter than asked for: their own limit may be lower.
            if not number or (number < PAGE if total is None else came >= total):
                return Transcript(segments=tuple(found), speakers=speakers)
        return Transcript(segments=tuple(found), speakers=speakers, is_whole=False)

    def _page(
        self, operation: str, call_id: int, path: str, query: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        try:
            reply = self._service.request(
                operation, "GET", f"{self._url}/ai/calls/{call_id}/{path}", params=query
            )
        except Rejected as error:
            if error.status != 404:
                raise
            raise NotThereYet(f"CloudTalk has no {path} of call {call_id} (yet)") from error
        if not isinstance(reply.body, dict):
            raise Unavailable(f"cloudtalk answered {operation} with something that is not an object")
        return reply.body


def _count(raw: Mapping[str, Any]) -> int:
    """How many segments came, readable or not: by this the next page begins."""
    data = raw.get("data")
    segments = (data if isinstance(data, dict) else raw).get("segments")
    return len(segments) if isinstance(segments, list) else 0
