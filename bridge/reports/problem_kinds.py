"""How problems of each kind are notified: after how long, and beside which others not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How problems of one kind are notified.

    Attributes:
        heading: in deploy/runbook.md.
        after_s: how long it must last before it is notified.
        well_after_s: how long it must be gone before the all-clear.
        follows: kinds of which this may be a mere consequence: not notified while one of them lasts.
    """

    heading: str
    after_s: float
    well_after_s: float = 0.0
    follows: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """As it is linked: `#a-service-is-paused`."""
        return self.heading.lower().replace(" ", "-")


# A restart takes some seconds: what goes away by itself is not notified.
KINDS: Mapping[str, Kind] = {
    "redis-unavailable": Kind(heading="Redis is unavailable", after_s=15),
    "no-web": Kind(heading="No web process runs", after_s=20, follows=("redis-unavailable",)),
    "no-worker": Kind(heading="No worker runs", after_s=20, follows=("redis-unavailable",)),
    "no-clock": Kind(heading="No clock runs", after_s=20, follows=("redis-unavailable",)),
    "paused": Kind(heading="A service is paused", after_s=0),
    "budget-closed": Kind(
        heading="A service refuses requests as too many", after_s=0, well_after_s=60, follows=("paused",)
    ),
    "live-late": Kind(
        heading="Live calls are late",
        after_s=15,
        well_after_s=30,
        follows=("paused", "no-worker", "budget-closed"),
    ),
    "parked": Kind(heading="Jobs are parked", after_s=5),
    # Until the next comparison: most are written before that.
    "calls-missing": Kind(
        heading="Calls are missing in Kustomer",
        after_s=400,
        follows=("paused", "no-worker", "no-webhook", "webhooks-refused"),
    ),
    "webhooks-refused": Kind(heading="Webhooks are refused", after_s=5),
    "no-webhook": Kind(heading="No webhook arrives", after_s=5, follows=("webhooks-refused", "no-web")),
    "redis-not-durable": Kind(heading="Redis may lose calls", after_s=10, well_after_s=30),
    "redis-full": Kind(heading="Redis is nearly full", after_s=10, well_after_s=30),
    "disk-full": Kind(heading="A disk is nearly full", after_s=10, well_after_s=30),
    "storage-failing": Kind(heading="Recordings cannot be stored", after_s=0),
    "search-refused": Kind(heading="Kustomer refuses searches", after_s=0, follows=("paused",)),
    "klass-refused": Kind(heading="Kustomer refuses custom objects", after_s=0, follows=("paused",)),
    "add-on-missing": Kind(heading="CloudTalk's AI is missing", after_s=0, follows=("paused",)),
    # What is half-written was waited for already.
    "rules-wrong": Kind(heading="The rules file has a mistake", after_s=0),
    "rules-differ": Kind(heading="Processes work by different rules", after_s=30),
    "secrets-wrong": Kind(heading="The file of a secret is wrong", after_s=0),
    # Whoever changes keys may mend it at once.
    "key-missing": Kind(heading="An encryption key is missing", after_s=10),
    "synthetic-late": Kind(
        heading="The synthetic call is late",
        after_s=0,
        follows=("paused", "no-worker", "no-web", "no-clock", "live-late"),
    ),
}
# For so long after it ended, its consequences are not notified either: a backlog has to drain first.
FOLLOWS_FOR_S = 180.0
