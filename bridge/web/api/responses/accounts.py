"""Answers about the accounts of a deployment."""

from __future__ import annotations

from pydantic import Field

from bridge.reports.accounts import State
from bridge.web.api.responses.base import Answer


class OneAccount(Answer):
    name: str = Field(description="Empty for the unnamed one.")
    state: State = Field(
        description="wrong: its table has a mistake; what was in force before it, if anything, stays."
    )
    why: str | None = Field(description="The first mistake, as FILE: [accounts.NAME] what; remedy.")
    due: int = Field(description="Jobs whose time has come.")
    oldest_due_s: float
    parked: int
    held: int
    last_webhook_at: str | None


class Accounts(Answer):
    accounts: list[OneAccount]
    next: str | None
