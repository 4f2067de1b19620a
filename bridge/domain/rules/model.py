"""What the operator may decide: which calls are written, how conversations start, how webhooks name things.

`file.py` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from bridge.domain.outcome import Outcome, Status

Attach = Literal["speech", "original", "never"]
Link = Literal["operators", "signed", "off"]

DEFAULT_STATUS: Mapping[Outcome, Status] = MappingProxyType(
    {
        Outcome.ANSWERED: "done",
        Outcome.MISSED: "open",
        Outcome.VOICEMAIL: "open",
        Outcome.INTERNAL: "done",
        Outcome.UNKNOWN: "open",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The operator's choices; the defaults suit a team that wants every customer call and nothing else."""

    write_internal: bool = False
    write_withheld: bool = False
    write_short: bool = False
    status: Mapping[Outcome, Status] = field(default_factory=lambda: DEFAULT_STATUS)
    tags: tuple[str, ...] = ()
    call_tags: bool = False
    assign_agent: bool = False
    record: bool = True
    transcode: bool = True
    attach: Attach = "speech"
    # Bytes; what Kustomer's composer takes is 5 MB a file, what its API takes is not documented.
    largest_attachment: int = 5_000_000
    link: Link = "operators"
    link_days: int = 30
    public_link: bool = False
    do_not_record: tuple[str, ...] = ()
    # Folded key -> canonical key, beside the built-in table.
    webhook_keys: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None
    zone: str = "UTC"
    # Where the choices come from that are not defaults, and their names there, such as `write.internal`.
    source: str = field(default="", compare=False)
    stated: frozenset[str] = field(default=frozenset(), compare=False)

    def placed(self, *, region: str | None, zone: str) -> Rules:
        """The same rules for a country (numbers written without their code) and a time zone (notes)."""
        return replace(self, region=region, zone=zone)

    def choices(self) -> dict[str, Any]:
        """Every choice by its name in the file, as plain values."""
        return {
            "write.internal": self.write_internal,
            "write.withheld": self.write_withheld,
            "write.short": self.write_short,
            "conversation.status": {str(outcome): status for outcome, status in self.status.items()},
            "conversation.tags": [*self.tags],
            "conversation.call_tags": self.call_tags,
            "conversation.assign_agent": self.assign_agent,
            "recording.fetch": self.record,
            "recording.transcode": self.transcode,
            "recording.attach": self.attach,
            "recording.largest_attachment_mb": self.largest_attachment / 1_000_000,
            "recording.link": self.link,
            "recording.link_days": self.link_days,
            "recording.public_link": self.public_link,
            "recording.do_not_record": [*self.do_not_record],
            "webhook_keys": dict(self.webhook_keys),
        }
