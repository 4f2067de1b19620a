"""Who is seen in the gallery, and what they say. All are invented, their numbers reserved for fiction."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

Language = Literal["en", "de", "fr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A line with its caller, in one language.

    Args:
        segments: the transcript: `agent` or `contact`, and what they say.
    """

    language: Language
    line: str
    queue: str
    line_name: str
    phone: str
    caller: str
    notes: str
    tags: list[str]
    summary: str
    voicemail: str
    voicemail_words: str
    asked_out: list[list[str]]
    actions: list[str]
    decisions: list[str]
    questions: list[str]
    deadline: str
    topics: list[str]
    segments: list[list[str]]

    def insights(self, **more: Any) -> dict[str, Any]:
        """What CloudTalk's AI says of their call."""
        return {
            "summary": self.summary,
            "sentiment": "positive",
            "smart_notes": {
                "actionItems": self.actions,
                "decisionsMade": self.decisions,
                "openQuestions": self.questions,
                "importantDatesAndDeadlines": [
                    {"dateMention": "2026-03-20T10:00:00Z", "eventDescription": self.deadline}
                ],
            },
            "topics": self.topics,
            "agent_talked": 40,
            # Longer than a note may be.
            "segments": [self.segments[n % len(self.segments)] for n in range(160)],
            **more,
        }


def _read() -> dict[Language, Team]:
    found = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return {
        cast("Language", language): Team(language=cast("Language", language), **fields)
        for language, fields in found.items()
    }


TEAMS = _read()
ENGLISH, GERMAN, FRENCH = TEAMS["en"], TEAMS["de"], TEAMS["fr"]
