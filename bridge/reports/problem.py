"""One thing that is wrong, as status, pages and notifications tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["failure", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        name: tells it from others, also of its kind: `paused:kustomer`.
        kind: its heading in the runbook.
        says: one sentence without its full stop; names nobody.
        do: what to do, likewise.
        page: the page that shows it, below PUBLIC_URL.
        well: what is said once it is over.
        level: grows with it; notified again when it has more than doubled.
        needs_a_person: `callbridge status` exits with 3.
    """

    name: str
    kind: str
    severity: Severity
    says: str
    do: str
    page: str
    well: str
    level: int = 0
    needs_a_person: bool = False

    @property
    def line(self) -> str:
        return f"{self.says}: {self.do}"


def span(seconds: float) -> str:
    """How long, in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
