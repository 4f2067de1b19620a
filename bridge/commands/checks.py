"""What `doctor` finds: one check, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# A clock that is further off puts calls at wrong times, and refuses signed webhooks at five minutes.
SKEW_S = 30.0

State = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    state: State
    says: str
    # What to do about it.
    do: str = ""


def clock(whose: str, off_s: float) -> Check:
    if abs(off_s) < SKEW_S:
        return Check(f"clock, {whose}", "ok", f"{abs(off_s):.0f} s apart")
    return Check(
        f"clock, {whose}", "warn", f"{abs(off_s):.0f} s apart", "set this machine's clock by NTP, or theirs"
    )
