"""The accounts of a deployment as a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from bridge.accounts.source import AccountsSource
from bridge.ledger.overview import Overview

State = Literal["running", "paused", "wrong"]
STATES: tuple[State, ...] = ("running", "paused", "wrong")
MOST_A_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """
    Attributes:
        name: empty for the unnamed one.
        state: `wrong` where its table has a mistake; it may be at work as it was before.
        why: the first mistake.
    """

    name: str
    state: State
    why: str
    due: int = 0
    oldest_due_s: float = 0.0
    parked: int = 0
    held: int = 0
    last_webhook_at: datetime | None = None

    def with_numbers(self, stands: Overview) -> AccountRow:
        return replace(
            self,
            due=stands.due,
            oldest_due_s=stands.oldest_due_s,
            parked=stands.parked,
            held=stands.held,
            last_webhook_at=stands.last_webhook_at,
        )

    def as_json(self) -> dict[str, Any]:
        at = self.last_webhook_at
        return {
            "name": self.name,
            "state": self.state,
            "why": self.why or None,
            "due": self.due,
            "oldest_due_s": round(self.oldest_due_s, 1),
            "parked": self.parked,
            "held": self.held,
            "last_webhook_at": None if at is None else at.isoformat(timespec="milliseconds"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsPage:
    """Attributes: next: where the next page begins; None: this is the last one. found: of all pages."""

    rows: list[AccountRow]
    next: str | None
    found: int


def list_accounts(
    source: AccountsSource,
    overviews: Mapping[str, Overview],
    *,
    q: str = "",
    state: str = "",
    cursor: str = "",
    limit: int = MOST_A_PAGE,
) -> AccountsPage:
    """By name.

    Args:
        q: part of the name.
        state: only those.
        cursor: the name before the first one.
    """
    accounts = source.now()
    wanted = q.strip().lower()
    names = sorted({*accounts, *source.names()})
    rows = [
        row
        for name in names
        if wanted in name and (row := _row(source, name, overviews)) and state in ("", row.state)
    ]
    after = [row for row in rows if not cursor or row.name > cursor]
    shown = after[:limit]
    return AccountsPage(
        rows=shown, next=shown[-1].name if len(after) > limit and shown else None, found=len(rows)
    )


def _row(source: AccountsSource, name: str, overviews: Mapping[str, Overview]) -> AccountRow:
    account = source.now().get(name)
    wrong = source.wrong_with(name)
    row = AccountRow(
        name=name,
        state="wrong" if wrong else "paused" if account is not None and account.is_paused else "running",
        why=wrong[0] if wrong else "",
    )
    return row.with_numbers(overviews.get(name, Overview()))
