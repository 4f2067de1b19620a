"""What jobs work with, built once a process and passed down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.kustomer import Kustomer
from bridge.clients.media import MediaFetcher
from bridge.domain.call import Call
from bridge.domain.rules.model import Rules
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim
from bridge.ledger.queue.connections import Connections
from bridge.links import AppLinks, Links
from bridge.storage.contract import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """The ledger, the two services, the operator's rules, and the lease that every write is made under."""

    ledger: Ledger
    cloudtalk: CloudTalk
    kustomer: Kustomer
    rules: Rules
    # Tells the rules in force now.
    rules_now: Callable[[], Rules] | None = None
    connections: Connections
    # Service -> raises Disconnected unless its connection is ready; of those that are reached by Membrane.
    looks: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    public_url: str | None = None
    app_links: AppLinks = field(default_factory=AppLinks)
    # The operator's storage for recordings; opened on first use, and kept.
    open_storage: Callable[[], Storage]
    # Fetches the files of text messages.
    media: MediaFetcher = field(default_factory=MediaFetcher)
    # For a server that trickles: longer than any recording takes, shorter than for ever.
    longest_transfer_s: float = 900.0
    # Bytes; one that is larger, or never ends, is left where it is.
    largest_recording: int = 500_000_000
    # Whether changes of a call that is written wait until no more follow (`bridge.sync.settling`).
    debounced: bool = True
    # Raises LeaseLost unless the lease was renewed recently enough to send something under it.
    still_ours: Callable[[Claim], None] = lambda claim: None

    def current(self) -> Deps:
        """With the rules in force now; one run works by the same rules from its start to its end."""
        rules = self.rules if self.rules_now is None else self.rules_now()
        return self if rules is self.rules else replace(self, rules=rules)

    def link_to(self, key: str, call: Call, rules: Rules) -> str:
        """Where people can play a recording; empty where the operator gives no address or wants none.

        Args:
            rules: the choices for this call.
        """
        if self.public_url is None or rules.link == "off":
            return ""
        links = Links(secret=self.ledger.link_secret(), public_url=self.public_url)
        since = call.started_at or call.ended_at
        if rules.link == "operators" or since is None:
            return links.for_operators(key)
        # Counted from the call, so that the same call always has the same link.
        return links.signed(key, until=since + timedelta(days=rules.link_days))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How a run ended well: done, or wanting another look after a while.

    Args:
        fields: of the call's record, to be written together with the end of the job; see `Ledger.complete`.
        counters: to be counted up with it.
    """

    again_in_ms: int | None = None
    log: str = ""
    fields: Mapping[str, object] = field(default_factory=dict)
    counters: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        return "done" if self.again_in_ms is None else "again"
