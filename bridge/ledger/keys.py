"""The names of everything kept in Redis, all under one hash tag (one slot of a cluster)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from uuid import UUID

TAG = "{callbridge}"


class Lane(IntEnum):
    """Priority of a job; the number is its place in the scripts."""

    LIVE = 1
    RECORDING = 2
    INSIGHTS = 3
    BACKFILL = 4


LANE_NAMES = {
    Lane.LIVE: "live",
    Lane.RECORDING: "recording",
    Lane.INSIGHTS: "insights",
    Lane.BACKFILL: "backfill",
}

# The first keys of the scripts that work on jobs (lua/front/jobs.lua).
QUEUE_KEYS: Sequence[str] = (
    *(f"{TAG}:{kind}:{LANE_NAMES[lane]}" for kind in ("due", "leased", "handed") for lane in Lane),
    f"{TAG}:jobs",
    f"{TAG}:parked",
)
JOBS, PARKED = QUEUE_KEYS[12], QUEUE_KEYS[13]
CALLS = f"{TAG}:calls"
COUNTS = f"{TAG}:counts"
# Histograms; see measures.py.
MEASURES = f"{TAG}:measures"
HELD, HELD_AT = f"{TAG}:held", f"{TAG}:held:at"
# Messages and changes of contacts, which speak of no call by nature: at most so many, the newest.
OTHER, OTHER_AT, MOST_OTHER = f"{TAG}:other", f"{TAG}:other:at", 10_000
# Contacts that are carried over, or were told whose they are: key -> last news of it.
CONTACTS = f"{TAG}:contacts"
# The newest deliveries; see lua/calls/received.lua.
RECEIVED = f"{TAG}:received"
META = f"{TAG}:meta"
# Which version of the bridge's records this is; see `bridge.ledger.schema`.
SCHEMA = f"{TAG}:schema"
# Marks of the calls that were forgotten on request; see lua/calls/forget.lua.
FORGOTTEN = f"{TAG}:forgotten"
# Of the comparison with CloudTalk's list: who is at it, and how far it has come.
ROUND_LOCK, ROUND = f"{TAG}:reconcile:lock", f"{TAG}:reconcile"
# Number -> the customer that a person chose for it, and when each was used last; at most so many numbers.
ASSIGNED, ASSIGNED_AT, MOST_ASSIGNED = f"{TAG}:assigned", f"{TAG}:assigned:at", 50_000
# There while Kustomer refuses the key searches of customers.
SEARCH_REFUSED = f"{TAG}:failing:search"
KLASS_REFUSED = f"{TAG}:failing:klass"
# Whether the CloudTalk account has Conversation Intelligence: JSON {"there"} or {"missing_until_ms"}.
ADD_ON = f"{TAG}:add-on"
SERVERS = f"{TAG}:servers"
WAKE = f"{TAG}:wake"
# Of webhooks that were not let in: the last answer and its time, by trigger and cause.
REFUSALS = f"{TAG}:refusals"
BEAT = f"{TAG}:beat"
RECORDINGS_TIDIED = f"{TAG}:recordings:tidied"
PROCESSES = f"{TAG}:processes"
# Audits that were asked for, newest first; see `bridge.ledger.audits`.
AUDITS = f"{TAG}:audits"
# Runs of parked jobs in phases, newest first; see `bridge.ledger.queue.replay_runs`.
REPLAYS = f"{TAG}:replays"
TRAIL = f"{TAG}:trail"
# How many of its lines are kept, the newest.
TRAIL_LINES = 10_000
CONNECTIONS = f"{TAG}:connections"
# Every scope that was ever closed or refused a job; erasing looks there for a call's jobs.
SCOPES = f"{TAG}:scopes"
# What the storage of recordings said when it failed last; gone once it stores again.
STORAGE_FAILING = f"{TAG}:failing:storage"
# Of the watch for problems: what it compares with, problems notified, messages on their way, and who acts.
WATCH, PROBLEMS, OUTBOX = f"{TAG}:watch", f"{TAG}:problems", f"{TAG}:outbox"
WATCH_TURN, OUTBOX_TURN = f"{TAG}:watch:turn", f"{TAG}:outbox:turn"
# The synthetic call: how it stands, and which clock is at it.
SYNTHETIC, SYNTHETIC_TURN = f"{TAG}:synthetic", f"{TAG}:synthetic:turn"
# CloudTalk's newest calls, for all calls that wait to be found in them; see `bridge.jobs.looking`.
NEWEST = f"{TAG}:newest"
# Missed calls that nobody has answered, as far as the ledger knows: key -> start; see lua/calls/caller.lua.
MISSED = f"{TAG}:missed:open"


def call_key(*, uuid: UUID | None, call_id: int | None) -> str:
    """The key of a call's record, from the ids at hand; with both, the uuid's."""
    if uuid is not None:
        return f"uuid:{uuid}"
    if call_id is None:
        raise ValueError("a call needs an id: one is never invented")
    return f"id:{call_id}"


def record(key: str) -> str:
    return f"{TAG}:call:{key}"


def events(key: str) -> str:
    return f"{TAG}:events:{key}"


def log(key: str) -> str:
    return f"{TAG}:log:{key}"


def job(kind: str, key: str) -> str:
    return f"{kind}|{key}"


def traffic(hour: int) -> str:
    """What is counted in an hour since 1970, minute by minute."""
    return f"{TAG}:traffic:{hour}"


def split_job(name: str) -> tuple[str, str]:
    kind, _, key = name.partition("|")
    return kind, key


def paused(service: str) -> str:
    """The jobs that wait for a service's connection."""
    return f"{TAG}:paused:{service}"


def refused(scope: str) -> str:
    """Jobs that were refused one operation lately."""
    return f"{TAG}:refused:{scope}"


def refused_in(hour: int) -> str:
    """Counts of the webhooks that were not let in, in this hour since 1970."""
    return f"{REFUSALS}:{hour}"


def slow(service: str) -> str:
    """What a service did not answer in time lately."""
    return f"{TAG}:slow:{service}"


def looks(service: str) -> str:
    """Requests of this window for what was not there, see take.lua."""
    return f"{TAG}:budget:{service}:looks"


def budget(service: str) -> list[str]:
    """What planner.lua expects as its keys."""
    parts = ("replies", "flying", "closed", "booked", "places", "slots", "plan")
    return [*(f"{TAG}:budget:{service}:{part}" for part in parts), *QUEUE_KEYS[: 2 * len(Lane)]]


# The records of text messages, by when they were heard of.
MESSAGES = f"{TAG}:messages"


def message_key(name: str) -> str:
    """The key of a message's record."""
    return f"message:{name}"


def is_message(key: str) -> bool:
    return key.startswith("message:")


def messages_waiting(number: str) -> str:
    """The messages of a number that are still to be written, by their own times."""
    return f"{TAG}:messages:waiting:{number}"


def messages_lately(number: str) -> str:
    """The messages of a number of the last minutes, by which another webhook of the same one is known."""
    return f"{TAG}:messages:lately:{number}"


def message_alias(fingerprint: str) -> str:
    """Of which record a delivery is, where that has another name."""
    return f"{TAG}:messages:alias:{fingerprint}"


# The search index (`bridge.ledger.search`): how far it has come. All its other keys begin with this name.
FIND = f"{TAG}:find"


def customer_of(number: str) -> str:
    """Kustomer's customer of a number, as last found."""
    return f"{TAG}:customer:{number}"


def cached(name: str) -> str:
    """What may be asked again, and is kept for a while."""
    return f"{TAG}:cache:{name}"


def lock(name: str) -> str:
    return f"{TAG}:lock:{name}"


def caller(phone: str) -> str:
    """The calls of a number, for the life of missed ones."""
    return f"{TAG}:caller:{phone}"


def latest_conversation(customer_id: str) -> str:
    """The conversation that further calls of a customer may go into."""
    return f"{TAG}:talk:of:{customer_id}"


def conversation(conversation_id: str) -> str:
    """What the calls of one shared conversation want it to be."""
    return f"{TAG}:talk:{conversation_id}"


def find(part: str) -> str:
    return f"{FIND}:{part}"


def in_bulk(name: str) -> str:
    """There while a bulk request may make what has this external id."""
    return f"{TAG}:bulk:{name}"
