"""CloudTalk's Conversation Intelligence: what its AI says of a call, on a host of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from bridge.sandbox import AI_PREFIX
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import World

Path = Literal[
    "summary",
    "overall-sentiment",
    "smart-notes",
    "topics",
    "talk-listen-ratio",
    "details-link",
    "transcription",
]
# How many items a page has that asks for no number, and at most.
_DEFAULT_PAGE, _LARGEST_PAGE = 10, 1000
_CONTACT_ID = 5000


class InsightFields(BaseModel):
    """What the AI says of one call; `{}` is a short one of everything."""

    model_config = ConfigDict(extra="forbid")

    summary: str = "Ada asks for a copy of an invoice. Grace sends it by e-mail today."
    sentiment: str = "positive"
    smart_notes: dict[str, Any] = Field(
        default_factory=lambda: {
            "actionItems": ["Send the invoice by e-mail"],
            "decisionsMade": ["The invoice is sent today"],
            "openQuestions": ["Which address is on file?"],
            "importantDatesAndDeadlines": [
                {"dateMention": "2026-03-20T10:00:00Z", "eventDescription": "The invoice is due"}
            ],
        }
    )
    topics: list[str] = ["Invoice", "Delivery"]
    agent_talked: float = Field(default=40, ge=0, le=100)  # percent
    # Who says what: `agent` or `contact`, and the text; None: two short lines.
    segments: list[tuple[Literal["agent", "contact"], str]] | None = None
    link: str | None = None  # None: one made of the call's id
    without: list[Path] = []  # these are never there (404)
    ready_after: int = Field(default=0, ge=0)  # so many requests for each path are answered 404 first


class Insights:
    def __init__(self, world: World) -> None:
        self.world = world

    def add_to(self, routes: Routes) -> None:
        answers: dict[Path, Callable[[Document, SandboxRequest], Document]] = {
            "summary": lambda call, _: {"callId": call["id"], "summary": call["insights"]["summary"]},
            "overall-sentiment": lambda call, _: {
                "callId": call["id"],
                "overallSentiment": call["insights"]["sentiment"],
            },
            "smart-notes": self._smart_notes,
            "topics": self._topics,
            "talk-listen-ratio": self._ratio,
            "details-link": self._link,
            "transcription": self._transcription,
        }
        for path, answer in answers.items():
            routes.add("GET", f"{AI_PREFIX}/ai/calls/{{id}}/{path}", self._answer(path, answer))

    def _answer(
        self, path: Path, answer: Callable[[Document, SandboxRequest], Document]
    ) -> Callable[[SandboxRequest], Response]:
        def handler(request: SandboxRequest) -> Response:
            call_id = request.params["id"]
            if not call_id.isascii() or not call_id.isdigit():
                return _refuse(400, "BAD_REQUEST", "callId must be a number")
            add_on = self.world.cloudtalk.readings.ai_add_on
            if add_on == "403":
                return _refuse(403, "FORBIDDEN", "Conversation Intelligence is not enabled.")
            call = self.world.store.get("call", call_id)
            if add_on == "404" or call is None or not self._is_ready(call, path):
                return _refuse(404, "NOT_FOUND", "The requested resource was not found.")
            try:
                return JSONResponse(answer(call, request))
            except ValueError as error:
                return _refuse(400, "BAD_REQUEST", str(error))

        return handler

    def _is_ready(self, call: Document, path: Path) -> bool:
        insights = call.get("insights")
        if insights is None or call["in_progress"] or path in insights["without"]:
            return False
        key = f"{call['id']}/{path}"
        asked_before = self.world.insights_asked.get(key, 0)
        self.world.insights_asked[key] = asked_before + 1
        return bool(asked_before >= insights["ready_after"])

    def _smart_notes(self, call: Document, request: SandboxRequest) -> Document:
        people = [
            {"name": self._agent_name(call), "callerType": "agent"},
            {"name": call["contact_name"] or "", "callerType": "contact"},
        ]
        details = {"callDateTime": call["started_at"], "participants": people, "callMetadata": ""}
        notes = {"callDetails": details, **call["insights"]["smart_notes"]}
        return {"callId": call["id"], "smartNotes": notes}

    def _topics(self, call: Document, request: SandboxRequest) -> Document:
        topics = [
            {"topic": topic, "weight": round(1 / (n + 1), 2), "spans": []}
            for n, topic in enumerate(call["insights"]["topics"])
        ]
        return _paged(call, "topics", topics, request, {"callers": _callers(call)})

    def _ratio(self, call: Document, request: SandboxRequest) -> Document:
        agent = call["insights"]["agent_talked"]
        shares = (("caller1", 100 - agent), ("caller2", agent))
        return {
            "callId": call["id"],
            "talkListenRatio": [
                {"caller": key, "talkingTime": call["talking_time"] * part / 100, "ratio": part}
                for key, part in shares
            ],
            "callers": _callers(call),
        }

    def _link(self, call: Document, request: SandboxRequest) -> Document:
        return {
            "link": call["insights"]["link"] or f"https://analytics.cloudtalk.io/call-details/{call['id']}"
        }

    def _transcription(self, call: Document, request: SandboxRequest) -> Document:
        said = call["insights"]["segments"] or [
            ("agent", "Good morning, how can I help?"),
            ("contact", "I need a copy of my invoice, please."),
        ]
        segments = [
            {
                "start": round(n * 4.5 + 1.2, 3),
                "end": round(n * 4.5 + 5.1, 3),
                "caller": "caller2" if who == "agent" else "caller1",
                "text": text,
            }
            for n, (who, text) in enumerate(said)
        ]
        return _paged(call, "segments", segments, request, {"callers": _callers(call), "language": "en"})

    def _agent_name(self, call: Document) -> str:
        agent = self.world.store.get("agent", str(call["agent_id"])) or {}
        return f"{agent.get('firstname', '')} {agent.get('lastname', '')}".strip()


def _callers(call: Document) -> list[Document]:
    return [
        {"id": call["contact_id"] or _CONTACT_ID, "type": "contact", "localIdentifier": "caller1"},
        {"id": call["agent_id"], "type": "agent", "localIdentifier": "caller2"},
    ]


def _paged(
    call: Document, name: str, items: list[Document], request: SandboxRequest, also: Document
) -> Document:
    limit = _whole(request, "limit", _DEFAULT_PAGE, least=1)
    offset = _whole(request, "offset", 0, least=0)
    shown = items[offset : offset + min(limit, _LARGEST_PAGE)]
    return {
        "data": {"callId": call["id"], name: shown, **also},
        "pagination": {"limit": limit, "offset": offset, "total": len(items)},
    }


def _whole(request: SandboxRequest, name: str, default: int, *, least: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise ValueError(f"{name} must be an integer of at least {least}")
    return int(text)


def _refuse(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status)
