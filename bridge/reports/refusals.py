"""Refused webhooks for people: over time, and what the sender should change, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bridge.ledger.ledger import Ledger
from bridge.ledger.refusals import Refusal, refusals, refused_by_hour

# Cause -> what it means, and what the sender should change.
ADVICE: Mapping[str, tuple[str, str]] = {
    "nobody-admitted": (
        "The bridge has neither tokens nor signing secrets",
        "Set WEBHOOK_TOKENS for the bridge and restart it. The sender has nothing to change.",
    ),
    "no-token": (
        "The request has neither a token nor a signature",
        "In the workflow's API request, add the header Authorization with the value Bearer YOUR-TOKEN. A "
        "stranger who found the address looks the same.",
    ),
    "wrong-token": (
        "The token is not one of ours",
        "Copy a token of WEBHOOK_TOKENS into the workflow's header, after the word Bearer and one blank. Was "
        "a token changed here? List both until every workflow has the new one.",
    ),
    "bad-signature": (
        "The signature does not match the body",
        "Copy the endpoint's secret (whsec_…) to WEBHOOK_SIGNING_SECRETS. A proxy must not change the body.",
    ),
    "stale-signature": (
        "The signature is too old, or from the future",
        "Synchronize the clock of this machine (NTP). Deliveries are accepted within 5 minutes of signing.",
    ),
    "rate": (
        "Too many webhooks of one trigger with one token",
        "Look for a workflow that fires in a loop. If the volume is right, raise WEBHOOKS_PER_MINUTE.",
    ),
    "too-large": (
        "The body is larger than 64 KiB",
        "Leave long values out of the workflow's body, such as transcripts.",
    ),
    "too-slow": (
        "The body did not arrive within 10 s",
        "Check the network and the proxy between CloudTalk and the bridge.",
    ),
    "content-type": (
        "The body is not announced as JSON",
        "Set the header Content-Type to application/json in the workflow.",
    ),
    "content-encoding": (
        "The body is compressed in a way that the bridge does not read",
        "Send it uncompressed, or with gzip.",
    ),
    "not-gzip": ("The body is not the gzip that its header says", "Send it uncompressed."),
    "not-json": (
        "The body is not JSON",
        "Look for a missing quote or comma in the workflow's body. Each variable stands in quotes.",
    ),
    "not-utf8": ("The body is not in UTF-8", "Send it as UTF-8: do not set another charset in Content-Type."),
    "not-an-object": (
        "The body is JSON, but not an object",
        "Begin it with { and end it with }, as in the template on the set-up page.",
    ),
    "too-deep": (
        "The body is nested too deeply",
        "Send the values flat, as in the template on the set-up page.",
    ),
    "not-sending": (
        "Kustomer asks for a text message, and the rules do not allow to send any",
        "Set send = true in [messages] of the rules file, or switch the workflow off.",
    ),
    "not-sendable": (
        "Kustomer asks for a text message that cannot be sent",
        "Correct the field that the answer names, in the body of the workflow's step.",
    ),
    "not-proven": (
        "Redis holds the webhook but could not prove it in time",
        "See ACCEPT_AFTER in deploy/README.md. Nothing is lost if the sender repeats it.",
    ),
}
_OTHER = ("Refused", "See deploy/README.md.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCause:
    """All refusals of one cause.

    Args:
        recent: in the hours that were asked about.
    """

    cause: str
    means: str
    do: str
    lines: Sequence[Refusal]
    recent: int

    @property
    def count(self) -> int:
        return sum(line.count for line in self.lines)

    @property
    def last_at(self) -> datetime | None:
        return max((line.last_at for line in self.lines if line.last_at), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedOverTime:
    """Causes, the most recent first; and numbers by the hour, oldest first."""

    causes: Sequence[RefusedCause]
    hours: Sequence[datetime]
    counts: Sequence[int]


def refused_over_time(ledger: Ledger, *, hours: int, cause: str = "") -> RefusedOverTime:
    """Args: cause: the numbers by the hour are of this one only."""
    found = refused_by_hour(ledger, hours=hours)
    newest = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    times = [newest - timedelta(hours=back) for back in range(hours - 1, -1, -1)]
    by_hour = dict.fromkeys(times, 0)
    recent: dict[str, int] = {}
    for one in found:
        if cause in ("", one.cause):
            by_hour[one.hour] = by_hour.get(one.hour, 0) + one.count
        recent[one.cause] = recent.get(one.cause, 0) + one.count
    by_cause: dict[str, list[Refusal]] = {}
    for line in refusals(ledger):
        by_cause.setdefault(line.cause, []).append(line)
    causes = [_cause(name, lines, recent.get(name, 0)) for name, lines in by_cause.items()]
    return RefusedOverTime(
        causes=sorted(causes, key=lambda one: (-one.recent, -one.count, one.cause)),
        hours=times,
        counts=[by_hour[at] for at in times],
    )


def _cause(cause: str, lines: Sequence[Refusal], recent: int) -> RefusedCause:
    means, do = ADVICE.get(cause, _OTHER)
    return RefusedCause(cause=cause, means=means, do=do, lines=lines, recent=recent)
