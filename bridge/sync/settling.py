"""Whether changes of a call that is written may still go on, so that a burst of them costs one update. Pure.

An agent edits tags, then a rating, then a note within seconds, and each is a webhook. Only what is in
Kustomer already waits: the first note does not, nor does a recording after it, unless it arrives in the
middle of a burst, with which it is written then.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from bridge.domain.webhook.events import ALWAYS_NEWS
from bridge.ledger.calls.record import Record

# No further change for so long: the burst is over.
QUIET = timedelta(seconds=3)
# A change is written so long after it at the latest (and after CloudTalk's answer), however many follow.
AT_MOST = timedelta(seconds=15)
_AT_ONCE = frozenset({"recording-uploaded"})


def settles_at(record: Record, now: datetime, quiet: timedelta = QUIET) -> datetime | None:
    """Until when to wait for further changes; None: write what there is."""
    written_at = record.synced_at
    if written_at is None or record.verify_requested or record.is_assigned_anew:
        return None
    changes = [at for at in _changes(record) if at > written_at]
    if not changes:
        return None
    since = min(changes)
    if record.changing_since is not None:
        since = min(since, record.changing_since)
    until = min(max(changes) + quiet, since + AT_MOST)
    return until if now < until else None


def _changes(record: Record) -> Iterator[datetime]:
    """When each change was reported."""
    for event in record.events:
        if event.trigger not in _AT_ONCE:
            # The repeat of any other trigger is a second delivery of the same.
            yield event.last_at if event.trigger in ALWAYS_NEWS else event.at
