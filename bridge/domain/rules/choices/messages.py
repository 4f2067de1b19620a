"""Choices of `[messages]`: what becomes of text messages."""

from __future__ import annotations

from bridge.domain.rules.choice import BOOL, Choice

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="messages", name="write", field="", kind=bool, right=BOOL,
        says="no effect yet: write text messages",
    ),
)  # fmt: skip
