"""The words of a notification. They name services and numbers of jobs, and nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from bridge.domain.moments import shown_time
from bridge.notify.transitions import News
from bridge.reports.problem_kinds import KINDS

Message = Mapping[str, str]
_LONGEST = 600


def message_of(news: News, *, public_url: str | None, zone: str) -> Message:
    """Title, body and apprise's type."""
    problem = news.problem
    since = shown_time(datetime.fromtimestamp(news.since, UTC).isoformat(), zone)
    lines = []
    if news.is_over:
        lines.append(f"Over: {_one_line(problem.says)}. It began at {since}.")
    else:
        lines.append(f"{_sentence(problem.says)}. Since {since}.")
        lines.append(f"What to do: {_one_line(problem.do)}.")
        lines.append(f"Runbook, deploy/runbook.md: {KINDS[problem.kind].heading}.")
    if news.flaps:
        lines.append(
            "It has come and gone several times within the hour; its end is reported after ten quiet minutes."
        )
    if public_url:
        lines.append(f"{public_url}{problem.page}")
    return {
        "title": f"callbridge: {_one_line(problem.well if news.is_over else problem.says)}",
        "body": "\n".join(lines),
        "type": "success" if news.is_over else problem.severity,
    }


def test_message(*, public_url: str | None) -> Message:
    """What `callbridge notify test` sends."""
    lines = ["This is a test of callbridge's notifications. Nothing is wrong."]
    if public_url:
        lines.append(f"{public_url}/")
    return {"title": "callbridge: a test", "body": "\n".join(lines), "type": "info"}


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]


def _sentence(text: str) -> str:
    line = _one_line(text)
    return line[:1].upper() + line[1:]
