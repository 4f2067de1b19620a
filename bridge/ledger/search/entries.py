"""The form of the search index: chunks of some thousand calls, each chunk a few columns. Pure.

A search reads only the columns it needs, whole, and looks in them with `bytes.find` and `bytes.translate`: a
million calls have 13 MB of digits, which takes some ten milliseconds. What is found is only a hint. It is
checked with the call's summary before it is shown, so an entry that is out of date costs a look and no more;
what must not happen is that an entry hides a call, so whatever changes a call changes its entry (`index.py`).

| column | for each call |
|---|---|
| `k` | 17 bytes: the uuid, or the call id as digits, and which of the two it is |
| `d` | the digits of the customer's number, and a line end |
| `n` | the customer's name in small letters, and a line end |
| `f` | 1 byte: outcome, direction, state, whether it ended; 0: erased |
| `a` | 1 byte: the agent, see `bucket_of` |
| `r` | 1 byte: the reason, likewise |
| `w` | 4 bytes: when it was, in seconds since 1970 |
| `c` | 8 bytes: a hash of the conversation's id |
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from uuid import UUID
from zlib import crc32

from bridge.domain.outcome import Direction, Outcome
from bridge.ledger.calls.record_fields import State
from bridge.ledger.calls.summary import CallEntry

KEY_BYTES, WHEN_BYTES, CONVERSATION_BYTES = 17, 4, 8
COLUMNS = ("k", "d", "n", "f", "w", "c")
# A dictionary holds so many texts; what comes later is in the last bucket, which every search looks at.
MOST_TEXTS, BUCKETS = 2000, 254
_LONGEST_TEXT = 120
_LATEST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Facts:
    """What one byte of column `f` says."""

    outcome: str
    direction: str | None
    state: State | None
    ended: bool


EVERY_FACTS = [
    Facts(outcome, direction, state, ended)
    for outcome, direction, state, ended in product(
        map(str, Outcome), (None, *map(str, Direction)), (None, *State), (False, True)
    )
]
# Another form of the index, or another meaning of its bytes, is another text: the index is then built anew.
FORMAT = f"1.{crc32(repr(EVERY_FACTS).encode()):x}"
_BYTE_OF = {facts: number + 1 for number, facts in enumerate(EVERY_FACTS)}


def key_bytes(key: str) -> bytes:
    kind, _, name = key.partition(":")
    if kind == "uuid":
        return UUID(name).bytes + b"u"
    return bytes.fromhex(name.ljust(32, "f")) + b"i"


def key_of(raw: bytes) -> str:
    if raw[-1:] == b"u":
        return f"uuid:{UUID(bytes=raw[:-1])}"
    return f"id:{raw[:-1].hex().rstrip('f')}"


def facts_byte(entry: CallEntry) -> bytes:
    summarised = entry.summary
    return bytes([_BYTE_OF[Facts(summarised.outcome, summarised.direction, entry.state, summarised.ended)]])


def facts_table(wanted: Callable[[Facts], bool]) -> bytes:
    """For `bytes.translate`: 1 for each byte of column `f` that is wanted, else 0."""
    wanted_bytes = {number + 1 for number, facts in enumerate(EVERY_FACTS) if wanted(facts)}
    return bytes(int(byte in wanted_bytes) for byte in range(256))


def bucket_table(numbers: Iterable[int]) -> bytes:
    """For `bytes.translate`, of a column of buckets: those of these texts, and of texts in no dictionary."""
    buckets = {bucket_of(number) for number in numbers} | {BUCKETS + 1}
    return bytes(int(byte in buckets) for byte in range(256))


def bucket_of(number: int) -> int:
    """The bucket of the n-th text of a dictionary, as `append_calls.lua` has it."""
    return (number - 1) % BUCKETS + 1


def digits_of(number: str | None) -> str:
    return re.sub(r"[^0-9]", "", number or "")


def name_of(name: str | None) -> str:
    """A name as it is searched: on one line, in small letters."""
    return " ".join((name or "").casefold().split())


def agent_text(entry: CallEntry) -> str:
    """As the dictionary of agents has it: the id, a space, the name."""
    summarised = entry.summary
    if summarised.agent_id is None and not summarised.agent_name:
        return ""
    return _text(
        f"{'' if summarised.agent_id is None else summarised.agent_id} {name_of(summarised.agent_name)}"
    )


def reason_text(entry: CallEntry) -> str:
    """As the dictionary of reasons has it: without digits, so that it does not grow with each call."""
    return _text(without_digits(entry.reason or ""))


def _text(text: str) -> str:
    """For a dictionary; what is too long for one goes to the last bucket."""
    return text if len(text) <= _LONGEST_TEXT else "*"


def without_digits(text: str) -> str:
    return re.sub(r"\d+", "#", name_of(text))


def conversation_bytes(conversation_id: str | None) -> bytes:
    if not conversation_id:
        return bytes(CONVERSATION_BYTES)
    return hashlib.blake2b(conversation_id.casefold().encode(), digest_size=CONVERSATION_BYTES).digest()


def when_of(entry: CallEntry) -> int:
    at = entry.summary.when
    return 0 if at is None else min(max(int(at.timestamp()), 0), _LATEST)


def columns_of(entries: Sequence[CallEntry]) -> list[bytes]:
    """The columns of these calls, in the order of `COLUMNS`."""
    summaries = [entry.summary for entry in entries]
    return [
        b"".join(key_bytes(entry.place.key) for entry in entries),
        "".join(digits_of(summarised.number) + "\n" for summarised in summaries).encode(),
        "".join(name_of(summarised.customer_name) + "\n" for summarised in summaries).encode(),
        b"".join(facts_byte(entry) for entry in entries),
        b"".join(when_of(entry).to_bytes(WHEN_BYTES, "little") for entry in entries),
        b"".join(conversation_bytes(entry.conversation_id) for entry in entries),
    ]
