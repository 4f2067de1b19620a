"""Conversations that several calls of one customer share (`per = "customer"` in the rules)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger

# Longer than any `within_hours` that makes sense; what nobody adds to for so long is done with.
_KEPT_S = 30 * 86_400
_MOST_CALLS = 200
_STATUS, _CALL = "status", "call:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The conversation last made for a customer: the call that it was made for, and when that began."""

    root: str
    began_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What the calls of one conversation want it to be.

    Args:
        status: the one that the bridge sent last; empty: none since it was made.
        newest: key of the call that began last, whose status counts.
    """

    status: str
    newest: str


@boundary("talks.latest")
def latest(ledger: Ledger, customer_id: str) -> Latest | None:
    text = cast(str | None, ledger.redis.get(keys.latest_conversation(customer_id)))
    if text is None:
        return None
    told = json.loads(text)
    return Latest(root=told["root"], began_ms=int(told["began"]))


@boundary("talks.remember")
def remember(ledger: Ledger, customer_id: str, one: Latest) -> None:
    """Have later calls find it. Called before it is made, so that a killed run leads to no second one."""
    text = json.dumps({"root": one.root, "began": one.began_ms})
    ledger.redis.set(keys.latest_conversation(customer_id), text, ex=_KEPT_S)


@boundary("talks.enter")
def enter(ledger: Ledger, conversation_id: str, key: str, began_ms: int) -> Talk:
    """Add a call to a conversation, which may repeat itself; how the conversation stands."""
    name = keys.conversation(conversation_id)
    pipe = ledger.redis.pipeline()
    pipe.hset(name, f"{_CALL}{key}", str(began_ms))
    pipe.expire(name, min(_KEPT_S, ledger.keep_for.outputs_s))
    pipe.hgetall(name)
    found = cast(dict[str, str], pipe.execute()[-1])
    calls = sorted(
        (int(ms), field.removeprefix(_CALL)) for field, ms in found.items() if field.startswith(_CALL)
    )
    if old := calls[:-_MOST_CALLS]:
        ledger.redis.hdel(name, *(f"{_CALL}{one}" for _, one in old))
    return Talk(status=found.get(_STATUS, ""), newest=calls[-1][1])


@boundary("talks.keep_status")
def keep_status(ledger: Ledger, conversation_id: str, status: str) -> None:
    ledger.redis.hset(keys.conversation(conversation_id), _STATUS, status)
