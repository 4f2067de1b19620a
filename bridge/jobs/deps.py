"""What jobs work with, built once a process and passed down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from pathlib import Path

import httpx2

from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.http import make_client
from bridge.clients.kustomer import Kustomer
from bridge.domain.call import Call
from bridge.domain.rules import Rules
from bridge.ledger.budget import Budget
from bridge.ledger.connect import connect
from bridge.ledger.connections import Connections
from bridge.ledger.learning import Retention
from bridge.ledger.ledger import Claim, Ledger
from bridge.links import Links
from bridge.roads import Roads
from bridge.settings import Settings
from bridge.storage.contract import Storage
from bridge.storage.opening import open_storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """The ledger, the two services, the operator's rules, and the lease that every write is made under."""

    ledger: Ledger
    cloudtalk: CloudTalk
    kustomer: Kustomer
    rules: Rules
    connections: Connections
    # Service -> raises Disconnected unless its connection is ready; of those that are reached by Membrane.
    looks: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    public_url: str | None = None
    recordings_url: str = "file:"
    data_dir: Path = Path(".callbridge")
    # For a server that trickles: longer than any recording takes, shorter than for ever.
    longest_transfer_s: float = 900.0
    # Bytes; one that is larger, or never ends, is left where it is.
    largest_recording: int = 500_000_000
    # Raises LeaseLost unless the lease was renewed recently enough to send something under it.
    still_ours: Callable[[Claim], None] = lambda claim: None

    def link_to(self, key: str, call: Call) -> str:
        """Where people can play a recording; empty where the operator gives no address or wants none."""
        if self.public_url is None or self.rules.link == "off":
            return ""
        links = Links(secret=self.ledger.link_secret(), public_url=self.public_url)
        since = call.started_at or call.ended_at
        if self.rules.link == "operators" or since is None:
            return links.for_operators(key)
        # Counted from the call, so that the same call always has the same link.
        return links.signed(key, until=since + timedelta(days=self.rules.link_days))

    def open_storage(self) -> Storage:
        """The operator's storage for recordings; opened on first use, and kept."""
        return _storage(self.recordings_url, self.data_dir)


@cache
def _storage(url: str, data_dir: Path) -> Storage:
    return open_storage(url, data_dir=data_dir)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a run ended well: done, or wanting another look after a while."""

    again_in_ms: int | None = None
    log: str = ""


def retention(settings: Settings) -> Retention:
    day = 86_400
    return Retention(
        events_s=int(settings.event_retention_days * day), outputs_s=int(settings.output_retention_days * day)
    )


def open_ledger(settings: Settings) -> Ledger:
    """The ledger at `REDIS_URL`."""
    settings.need("redis")
    return Ledger(connect(str(settings.redis_url)), keep=retention(settings))


def budgets(settings: Settings, ledger: Ledger) -> dict[str, Budget]:
    return {
        "cloudtalk": Budget(
            ledger.redis,
            service="cloudtalk",
            share=settings.cloudtalk_requests_per_minute,
            window_s=settings.cloudtalk_window_s,
        ),
        "kustomer": Budget(
            ledger.redis,
            service="kustomer",
            share=settings.kustomer_requests_per_minute,
            window_s=settings.kustomer_window_s,
        ),
    }


def open_connections(settings: Settings, ledger: Ledger) -> Connections:
    """Which of the connections that the settings name are down."""
    return Connections(
        ledger, check_every_s=settings.membrane_check_every_s, through=settings.through_membrane
    )


def open_deps(
    settings: Settings,
    ledger: Ledger,
    *,
    client: httpx2.Client | None = None,
    still_ours: Callable[[Claim], None] | None = None,
) -> Deps:
    """Everything a worker needs.

    Raises:
        WrongUse: names every setting that is missing.
    """
    settings.need("redis", "cloudtalk", "kustomer")
    share = budgets(settings, ledger)
    roads = Roads(settings, client or make_client())
    connections = open_connections(settings, ledger)
    cloudtalk = roads.cloudtalk(share["cloudtalk"], connections.gate("cloudtalk"))
    kustomer = roads.kustomer(share["kustomer"], connections.gate("kustomer"))
    return Deps(
        ledger=ledger,
        cloudtalk=cloudtalk,
        kustomer=kustomer,
        rules=settings.rules,
        connections=connections,
        looks={service: partial(roads.look, service) for service in settings.through_membrane},
        public_url=settings.public_url,
        recordings_url=settings.recordings_url,
        data_dir=settings.data_dir,
        largest_recording=settings.recording_max_mb * 1_000_000,
        still_ours=still_ours or (lambda claim: None),
    )
