"""A call's record, copied to another Redis as if nothing had been written of it: for rehearsals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.opening import sealed_part
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Family, Field
from bridge.ledger.ledger import Ledger

_OF_WRITES = (Family.INTENT, Family.CHANGE, Family.FORM, Family.REFUSED)
_WRITTEN = frozenset(
    {
        Field.STATE, Field.REASON, Field.RULES, Field.SYNCED_AT, Field.CHANGING_SINCE, Field.ROW,
        Field.VERIFY, Field.OWNER, Field.INDEXED, Field.CLOSED, Field.STATE_BEFORE, Field.SHARED,
        Field.MOVED, Field.CUE_CARD, Field.CONTACT,
    }
)  # fmt: skip


@boundary("calls.copy")
def copy_unwritten(record: Record, source: Ledger, target: Ledger) -> None:
    """Copy what was learnt of a call. A customer who was known before it stays known."""
    for key in record.own_keys:
        read = [cast(dict[str, str], source.redis.hgetall(of(key))) for of in (keys.record, keys.events)]
        fields, events, _ = source.opened_part(key, (read[0], read[1], []))
        kept = {name: text for name, text in fields.items() if not _is_of_writes(name)}
        call, told = sealed_part(target.texts, key, kept, events)
        _put(target, keys.record(key), call)
        _put(target, keys.events(key), told)
    # As if this ledger had been there all the time: so no other one may have written the call.
    target.redis.hset(keys.META, "born_at", "1")


def _put(target: Ledger, name: str, fields: Mapping[str, str | bytes]) -> None:
    if fields:
        target.redis.hset(name, mapping=cast(Any, fields))


def _is_of_writes(name: str) -> bool:
    return name in _WRITTEN or name.startswith((*_OF_WRITES, Family.OUTPUT, Family.COUNTED))
