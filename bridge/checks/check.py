"""What `doctor` finds: one check, and its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.clients.causes import cause_of

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
        f"clock, {whose}",
        "warn",
        f"{abs(off_s):.0f} s apart",
        "synchronize this machine's clock (NTP), or theirs",
    )


# What to do, by how the cause begins.
_DO = {
    "certificate": "check its address and any proxy",
    "TLS": "check its address",
    "host name": "check its address and DNS",
    "timed out": "check network, proxy and address",
    "unreadable": "check its address in the settings",
    "connection closed": "check its address",
    "invalid": "check its address in the settings",
}


def not_answered(name: str, error: Exception) -> Check:
    """Why a service gave no answer."""
    cause = cause_of(error)
    do = next(
        (do for begins, do in _DO.items() if cause.startswith(begins)), "check the network and the address"
    )
    return Check(name, "FAIL", cause, do)
