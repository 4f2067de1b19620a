"""What only shows over time: webhooks that stop or are refused in a row, a budget that stays closed. Pure.

The watch looks every few seconds and keeps a **sample**: the counters of then, and since when things are so.
Ages come from that, so that receiving a webhook costs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Sample = Mapping[str, Any]

# What answers of a webhook's counter mean that it arrived.
_ARRIVED = ("accepted", "duplicate", "held")
# Looks that are further apart say nothing of the time between: nobody was watching.
_LONGEST_GAP_S = 60.0
# A budget that opens for so short a time was not open.
_BUDGET_GAP_S = 10.0
# A call of CloudTalk's list counts as one without a webhook if it ended so long after the last webhook.
_UNANNOUNCED_AFTER_S = 60.0


def next_sample(
    before: Sample,
    *,
    counts: Mapping[str, int],
    closed_s: Mapping[str, float],
    now: float,
    is_open: bool | None,
    can_arrive: bool = True,
) -> dict[str, Any]:
    """The sample of now.

    Args:
        before: the last one; empty for the first.
        counts: all counters of the ledger.
        closed_s: service -> for how much longer it refuses requests; 0 where it does not.
        now: seconds since 1970.
        is_open: whether webhooks are expected now; None where no hours are set.
        can_arrive: a web process runs; the silence of a bridge that is down is not the sender's.
    """
    accepted = sum(n for name, n in counts.items() if _is_arrival(name))
    refused = {name: n for name, n in counts.items() if name.startswith("refused:")}
    has_come = not before or accepted > before.get("accepted", 0)
    # Counters that shrink are those of an emptied Redis.
    is_new = not before or accepted < before.get("accepted", 0)
    gap_s = max(0.0, now - before.get("at", now))
    was_deaf = not can_arrive or gap_s > _LONGEST_GAP_S
    silent_s = 0.0 if has_come or is_new else before.get("silent_s", 0.0)
    if is_open and not has_come and not is_new and not was_deaf:
        silent_s += gap_s
    return {
        "at": now,
        "accepted": accepted,
        "webhook_at": now if has_come or is_new or was_deaf else before.get("webhook_at", now),
        "silent_s": silent_s,
        "refused": refused if has_come or is_new else before.get("refused", refused),
        "refused_now": refused,
        "closed_since": _closed_since(before.get("closed_since", {}), closed_s, now),
    }


def refused_in_a_row(sample: Sample) -> tuple[int, str]:
    """How many webhooks were refused since the last one was accepted, and the cause of most."""
    before, after = sample.get("refused", {}), sample.get("refused_now", {})
    more = {name: n - before.get(name, 0) for name, n in after.items() if n > before.get(name, 0)}
    if not more:
        return 0, ""
    most = max(more, key=lambda name: more[name])
    return sum(more.values()), most.rpartition(":")[2]


def budgets_closed(sample: Sample) -> dict[str, float]:
    """Service -> for how long it has been closed, up to the last look."""
    return {
        service: sample["at"] - since
        for service, (since, seen) in sample.get("closed_since", {}).items()
        if seen == sample["at"]
    }


def is_unannounced(sample: Sample, ended_at: float | None) -> bool:
    """Whether a call that ended then, and came by the list alone, shows that webhooks have stopped."""
    last = sample.get("webhook_at")
    return ended_at is not None and last is not None and ended_at > last + _UNANNOUNCED_AFTER_S


def _is_arrival(name: str) -> bool:
    return name.startswith("webhook:") and name.rpartition(":")[2] in _ARRIVED


def _closed_since(
    before: Mapping[str, list[float]], closed_s: Mapping[str, float], now: float
) -> dict[str, list[float]]:
    """Service -> since when, and when last seen so; one that opened for a moment goes on."""
    found = {service: list(at) for service, at in before.items() if now - at[1] <= _BUDGET_GAP_S}
    for service, seconds in closed_s.items():
        if seconds > 0:
            found[service] = [found.get(service, [now])[0], now]
    return found
