"""Packs the records of calls that are quiet, so that they take less than half of Redis' memory
(`packed.py`).

Webhooks and jobs do not do it, and nobody waits for it: the clock goes along the ledger's list of calls
(`keys.CALLS`, by when something was learnt last), a step at a time. Two marks say how far it has come: one
follows ten minutes behind, when most calls are complete; the other for what was written late, two hours
after a job that fails would have been given up, when no job of a call is left. An upgrade begins both at the
oldest call.

A process of a version that does not read packed records may have been started before this one, and still
run. It says what it reads with its heartbeat (`processes.py`), and nothing is packed while there is one that
does not; later ones do not start on such a ledger (`schema.py`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from bridge.boundary import boundary
from bridge.errors import KeyMissing, Tampered
from bridge.ledger import keys, scripts
from bridge.ledger.calls.opening import sealed_part
from bridge.ledger.calls.packed import Part, packed
from bridge.ledger.calls.record_fields import Family, Field
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import processes
from bridge.ledger.queue.jobs import GIVE_UP_AFTER_MS
from bridge.logs import get_logger

log = get_logger(__name__)

_AT_ONCE = 100
# A part as it is to be kept.
_Put = tuple[Mapping[str, Any], Mapping[str, Any], Sequence[str]]
# Fields of `keys.META` with the marks, and how far each stays behind.
_MARKS: Mapping[str, int] = {"packed_to": 600_000, "packed_late_to": GIVE_UP_AFTER_MS + 2 * 3_600_000}


def all_read_packed(ledger: Ledger) -> bool:
    """Whether each process that runs can read packed records."""
    return all(one.reads_packed for one in processes(ledger.redis))


def pack_quiet_calls(ledger: Ledger, *, within_s: float, quiet_ms: int | None = None) -> bool:
    """Pack the records of calls of which nothing was learnt for a while.

    Args:
        within_s: no further step is begun after that.
        quiet_ms: for how long nothing was learnt, in the place of both marks' own.

    Returns:
        Whether none is left.
    """
    ends = time.monotonic() + within_s
    for mark, behind_ms in _MARKS.items():
        while _step(ledger, mark, behind_ms if quiet_ms is None else quiet_ms):
            if time.monotonic() > ends:
                return False
    return True


def _step(ledger: Ledger, mark: str, behind_ms: int) -> bool:
    """The next calls after a mark; whether there were any. Two clocks may take the same step."""
    top = ledger.now_ms() - behind_ms
    with boundary("packing.next"):
        client = ledger.redis
        at = int(cast(str | None, client.hget(keys.META, mark)) or 0)
        found = client.zrangebyscore(keys.CALLS, f"({at}", top, 0, _AT_ONCE, withscores=True)
        places = cast(list[tuple[str, float]], found)
        if len(places) == _AT_ONCE:
            # More may have the time of the last one.
            last = places[-1][1]
            places = [one for one in places if one[1] < last] or cast(
                list[tuple[str, float]], client.zrangebyscore(keys.CALLS, last, last, withscores=True)
            )
    if not places:
        return False
    pack_calls(ledger, [key for key, _ in places])
    with boundary("packing.mark"):
        ledger.redis.hset(keys.META, mark, str(int(places[-1][1])))
    return True


def pack_calls(ledger: Ledger, names: Sequence[str]) -> int:
    """Pack the records of these calls; how many parts of records were changed."""
    own = _parts(ledger, names)
    others = [f"id:{number}" for key, part in own.items() if (number := _number(key, part))]
    found = {**own, **_parts(ledger, others)}
    changed = {
        name: (part, to) for name, part in found.items() if (to := _packed(ledger, name, part)) is not None
    }
    return sum(_put(ledger, changed))


def unpack_outputs(ledger: Ledger, key: str) -> None:
    """Put the leading part of a record back into its plain form, for a script that works on its outputs."""
    parts = _parts(ledger, [key])
    found = {}
    for name, part in parts.items():
        fields, events, lines = ledger.opened_part(name, part)
        found[name] = (part, (*sealed_part(ledger.texts, name, fields, events), lines))
    _put(ledger, found)


def _number(key: str, part: Part) -> str | None:
    return part[0].get(Field.ID) if key.startswith("uuid:") else None


def _packed(ledger: Ledger, name: str, part: Part) -> _Put | None:
    try:
        changed = packed(ledger.opened_part(name, part)) if _is_loose(part) else None
    except (KeyMissing, Tampered, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # It stays as it is, and is read as before.
        log.debug("record not packed", call=name, error=type(error).__name__)
        return None
    return None if changed is None else (*sealed_part(ledger.texts, name, *changed), [])


def _is_loose(part: Part) -> bool:
    """Whether it may hold what is not packed: what is, is not to be decrypted each time."""
    fields, events, lines = part
    is_packed = Field.PACKED in fields or Field.PACKED in events
    return (
        bool(lines)
        or not is_packed
        or any('"body"' in text for text in events.values())
        or any('"sent"' in text or '"sealed"' in text for text in Family.OUTPUT.of(fields).values())
    )


@boundary("packing.read")
def _parts(ledger: Ledger, names: Sequence[str]) -> dict[str, Part]:
    pipe = ledger.redis.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(keys.record(name))
        pipe.hgetall(keys.events(name))
        pipe.lrange(keys.log(name), 0, -1)
    found = pipe.execute() if names else []
    return {
        name: (found[3 * n], found[3 * n + 1], found[3 * n + 2])
        for n, name in enumerate(names)
        if found[3 * n] and Field.FORGOTTEN not in found[3 * n]
    }


@boundary("packing.put")
def _put(ledger: Ledger, parts: Mapping[str, tuple[Part, _Put]]) -> list[int]:
    script = ledger.redis.register_script(scripts.source("pack"))
    pipe = ledger.redis.pipeline(transaction=False)
    for name, (read, (call, events, lines)) in parts.items():
        words = [word for hash_ in (call, events) for pair in hash_.items() for word in pair]
        names = [keys.record(name), keys.events(name), keys.log(name)]
        arguments = [_digest(read), 2 * len(call), 2 * len(events), *words, *lines]
        script(keys=names, args=arguments, client=pipe)
    return cast(list[int], pipe.execute()) if parts else []


def _digest(part: Part) -> str:
    fields, events, lines = part
    flat = ([word for pair in hash_.items() for word in pair] for hash_ in (fields, events))
    text = "\1".join("\0".join(words) for words in (*flat, lines))
    return hashlib.sha1(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
