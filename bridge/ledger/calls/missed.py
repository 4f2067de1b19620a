"""The calls of one number, kept for the life of its missed calls; see `bridge.domain.missed`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, cast

from bridge.boundary import boundary
from bridge.domain.missed import CallerCall, Kind
from bridge.domain.outcome import Direction
from bridge.encryption.texts import PREFIX
from bridge.errors import Busy, LeaseLost
from bridge.ledger import keys
from bridge.ledger.calls.packing import unpack_outputs
from bridge.ledger.calls.record_fields import Family, Field
from bridge.ledger.keys import QUEUE_KEYS
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim
from bridge.ledger.stored import StoredTexts

# A contact later than this closes nothing any more, and a number's index ends this long after its last call.
KEPT_S = 30 * 86_400
MOST_CALLS = 100
MOST_OPEN = 10_000
# What hand_over.lua answers: the record is packed; a field of it was written meanwhile.
_IS_PACKED, _CHANGED = 3, 4
_TRIES = 4
Stands = Literal["open", "closed", ""]


def enter(
    ledger: Ledger,
    claim: Claim,
    phone: str,
    own: CallerCall,
    *,
    other_key: str = "",
) -> list[CallerCall]:
    """Put a call in the index of its number; all calls there, by their start.

    Args:
        other_key: under which the call may have been entered before its two records were joined.

    Raises:
        LeaseLost: the job is somebody else's by now.
    """
    text = _text(ledger.texts, own, None, "")
    flat = ledger.run_for_job("caller", *_entry(ledger, claim, phone, own, text, other_key=other_key))
    _look_for_loss(claim, flat)
    found = [_read(ledger.texts, key, text) for key, text in zip(flat[::2], flat[1::2], strict=True)]
    return sorted(found, key=lambda one: (one.started_at, one.key))


def settle_soon(
    ledger: Ledger, claim: Claim, phone: str, own: CallerCall, *, stands: Stands, closed_by: CallerCall | None
) -> None:
    """Keep how a call stands that has been written, with the run's next command.

    Args:
        stands: of a missed call.
    """
    text = _text(ledger.texts, own, closed_by, stands)
    entry = _entry(ledger, claim, phone, own, text, stands=stands)
    ledger.run_for_job_soon("caller", *entry, then=partial(_look_for_loss, claim))


def _entry(
    ledger: Ledger,
    claim: Claim,
    phone: str,
    own: CallerCall,
    text: str,
    *,
    other_key: str = "",
    stands: Stands = "",
) -> tuple[Any, ...]:
    """What the script takes."""
    number = ledger.texts.number(phone)
    names = [*QUEUE_KEYS, keys.record(own.key), keys.caller(number), keys.MISSED]
    bounds = (min(KEPT_S, ledger.keep_for.outputs_s), MOST_CALLS, MOST_OPEN)
    return names, claim, own.key, other_key, text, *bounds, stands


def _look_for_loss(claim: Claim, flat: Any) -> None:
    if not flat:
        raise LeaseLost(f"{claim.name}: the lease ran out before the call was entered under its number")


def hand_over(ledger: Ledger, claim: Claim, phone: str, *, to: str, former: str, keeps_note: bool) -> bool:
    """Let the call `to` lead the item that `former` led; False where that one has no conversation yet.

    Args:
        keeps_note: the former leader's note stays its own, as it has a recording.

    Raises:
        LeaseLost: the job is somebody else's by now.
        Busy: the former leader's record was written meanwhile; come back shortly.
    """
    number = ledger.texts.number(phone)
    names = [*QUEUE_KEYS, keys.record(to), keys.record(former), keys.caller(number), keys.MISSED]
    told = (to, former, "1" if keeps_note else "", ledger.keep_for.outputs_s)
    for _ in range(_TRIES):
        answer = int(ledger.run_for_job("hand_over", names, claim, *told, *_moved(ledger, former, to)))
        if answer == _IS_PACKED:
            unpack_outputs(ledger, former)
        elif answer != _CHANGED:
            break
    else:
        raise Busy("the call that led the item was changed meanwhile", retry_after_s=0.5)
    if not answer:
        raise LeaseLost(f"{claim.name}: the lease ran out before it took over a missed call's item")
    return answer == 1


@boundary("ledger.read")
def _moved(ledger: Ledger, former: str, to: str) -> list[str]:
    """Fields that are encrypted for one record, as they are and as they are for the other."""
    if not ledger.texts.keyring.is_on:
        return []
    fields = cast(dict[str, str], ledger.redis.hgetall(keys.record(former)))
    sealed = {name: text for name, text in fields.items() if PREFIX in text and is_handed_over(name)}
    opened = ledger.texts.opened_fields(former, sealed)
    flat = ledger.texts.fields(to, [part for pair in opened.items() for part in pair])
    again = dict(zip(flat[::2], flat[1::2], strict=True))
    return [part for name, text in sealed.items() for part in (name, text, again[name])]


def is_handed_over(name: str) -> bool:
    """Whether hand_over.lua moves a field of a record."""
    return name == Field.CLOSED or name.startswith((Family.OUTPUT, Family.INTENT, Family.CHANGE))


@boundary("missed.over")
def end_item(ledger: Ledger, phone: str, leader: CallerCall) -> None:
    """No later miss joins this item: a person has ended its conversation."""
    name = keys.caller(ledger.texts.number(phone))
    text = cast(str | None, ledger.redis.hget(name, leader.key))
    if text is not None:
        ledger.redis.hset(name, leader.key, json.dumps({**json.loads(text), "x": 1}, separators=(",", ":")))


@boundary("missed.open")
def open_misses(ledger: Ledger) -> int:
    """How many missed calls nobody has answered, as far as the ledger knows."""
    oldest = ledger.now_ms() - KEPT_S * 1000
    return int(ledger.redis.zcount(keys.MISSED, oldest, "+inf"))


@boundary("missed.longest_open")
def longest_open(ledger: Ledger) -> datetime | None:
    """When the one of them began that has waited longest."""
    oldest = ledger.now_ms() - KEPT_S * 1000
    found = cast(
        list[tuple[str, float]],
        ledger.redis.zrangebyscore(keys.MISSED, oldest, "+inf", 0, 1, withscores=True),
    )
    return _moment(found[0][1]) if found else None


def _text(texts: StoredTexts, one: CallerCall, closed_by: CallerCall | None, stands: Stands) -> str:
    told: dict[str, Any] = {"s": _ms(one.started_at), "k": one.kind.value, "n": one.named}
    told |= {"d": one.direction.value} if one.direction else {}
    told |= {"a": texts.name("agent", one.agent)} if one.agent else {}
    told |= {"t": _ms(one.answered_at)} if one.answered_at else {}
    told |= {"i": one.item} if one.item else {}
    told |= {"x": 1} if one.is_over else {}
    if stands:
        told["c"] = _ms(closed_by.started_at) if closed_by is not None else 0
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _read(texts: StoredTexts, key: str, text: str) -> CallerCall:
    told = json.loads(text)
    return CallerCall(
        key=key,
        kind=Kind(told["k"]),
        started_at=_moment(told["s"]),
        named=told.get("n", ""),
        direction=Direction(told["d"]) if "d" in told else None,
        agent=texts.shown("agent", told.get("a", "")),
        answered_at=_moment(told["t"]) if "t" in told else None,
        item=told.get("i", ""),
        is_over=bool(told.get("x")),
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _moment(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
