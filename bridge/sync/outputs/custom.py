"""Custom attributes of what is there already: each is ours or a person's by itself.

Whether an update replaces the others or adds to them is not documented, so all are sent along. What was
changed is kept on record attribute by attribute (`custom.NAME`), so that after a lost reply a person's value
that was merely sent along is not taken for ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from bridge.clients.kustomer import Resource
from bridge.ledger.calls.record import Written

_ONE = "custom."
# A value that the key may not read; sent back, it would replace the real one.
_MASKED = re.compile(r"[*•x]{3,}", re.IGNORECASE)


def custom_of(current: Resource) -> Mapping[str, Any]:
    """The custom attributes, as Kustomer shows them."""
    shown = current.fields.get("custom")
    return shown if isinstance(shown, Mapping) else {}


def editable_custom(names: Iterable[str], current: Resource) -> dict[str, Any]:
    """For `Output.editable`: what stands in these attributes now."""
    there = custom_of(current)
    return {f"{_ONE}{name}": there.get(name) for name in names}


def is_as_sent(name: str, sent: Any, there: Mapping[str, Any], was_refused: bool) -> bool:
    """Whether nobody changed a value since. What is empty now was cleared by a person, unless it never got
    there: not sent, refused, or not shown at all."""
    value = there.get(name)
    if value is not None or name not in there or not sent:
        return value in (sent, None)
    return was_refused


def custom_changes(
    fields: Mapping[str, Any], known: Written, current: Resource, *, refused: Collection[str] = ()
) -> dict[str, Any]:
    """For `Output.changes`: all attributes with those of ours that changed; empty where none did.

    Args:
        refused: `custom`, or `custom.nameStr`: those that Kustomer did not take.
    """
    there = custom_of(current)
    sent = {
        **known.sent.get("custom", {}),
        **{name.removeprefix(_ONE): value for name, value in known.sent.items() if name.startswith(_ONE)},
    }
    # Where they are shown all of them are: one that is not among them was cleared.
    shown = {**dict.fromkeys(sent), **there} if "custom" in current.fields else there
    changed = {
        name: value
        for name, value in fields.get("custom", {}).items()
        if value != sent.get(name)
        and is_as_sent(name, sent.get(name), shown, not {"custom", f"{_ONE}{name}"}.isdisjoint(refused))
    }
    if not changed:
        return {}
    kept = {
        name: value
        for name, value in there.items()
        if not (isinstance(value, str) and _MASKED.fullmatch(value))
    }
    return {"custom": {**kept, **changed}, **{f"{_ONE}{name}": value for name, value in changed.items()}}


def as_sent(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes as Kustomer takes them."""
    return {name: value for name, value in changes.items() if not name.startswith(_ONE)}
