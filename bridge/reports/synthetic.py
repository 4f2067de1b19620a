"""How the synthetic call stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A call that is due is sent within seconds.
_SENT_WITHIN_S = 30.0


def synthetic_lateness(state: Mapping[str, Any], now: float) -> tuple[float, str]:
    """For how long it has been late, and where it is; 0 where all is well or it is switched off.

    Args:
        state: as `bridge.jobs.synthetic` keeps it; empty where it is off.
    """
    call = state.get("call")
    if call is not None and call["ended"] is None:
        late_s = now - call["sent_at"] - state["late_after_s"]
        if late_s > 0:
            return late_s, f"{call['at']} after {now - call['sent_at']:.0f} s"
    if state.get("failed"):
        return max(1.0, now - state["failed_at"]), str(state["failed"])
    if call is not None and call["ended"] is not None:
        late_s = now - call["ended"] - state["late_after_s"]
        return (late_s, str(call["at"])) if late_s > 0 else (0.0, "")
    late_s = now - state.get("next_at", now) - _SENT_WITHIN_S
    return (late_s, "nobody sends it") if late_s > 0 else (0.0, "")


def synthetic_age_s(state: Mapping[str, Any], now: float) -> float | None:
    """Since the last one that went the whole way; None before the first."""
    last = state.get("last_ok_at")
    return None if last is None else max(0.0, now - last)
