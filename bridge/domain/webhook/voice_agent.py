"""What an AI voice agent asked out of a caller: the free-form body of its `extractData` webhook as fields.

The customer chooses the names, so none of them is taken for one of CloudTalk's: `customer_phone` is what the
caller said, not the number that called. Only what names the call and the agent is ours.
Source: CloudTalk-io/marketplace (September 2026): a voice agent's configuration has `extractData.endpoint`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from bridge.domain.webhook.keys import ENVELOPES, canonical_key, folded, spelled
from bridge.domain.webhook.values import has_value, read_name

TRIGGER = "voice-agent"
MOST_FIELDS, LONGEST_VALUE = 20, 200
_LONGEST_NAME = 60
_DEEPEST = 4
# So much of a body is looked at: more is no answer of a caller.
_MOST_VALUES = 500
_LONGEST_JSON = 65_536
_OURS = frozenset({"event", "call_id", "call_uuid"})
_OUR_NAMES = frozenset({"template", "voice_agent_id", "company_id"})
_AGENT = frozenset(
    {"voice_agent", "voice_agent_name", "ai_agent", "ai_agent_name", "bot_name", "assistant_name"}
)

Extracted = str | int | float | bool
Fields = tuple[tuple[str, Extracted], ...]


def read_extracted(body: Mapping[str, Any], keys: Mapping[str, str]) -> Fields:
    """The fields by name, in the order of the body, which is how the voice agent asked for them.

    Args:
        keys: folded key -> canonical key.
    """
    found: dict[str, Extracted] = {}
    for path, value in _values(body, "", keys, [_MOST_VALUES], 0):
        name = (read_name(path) or "")[:_LONGEST_NAME].strip()
        field = _value(value)
        if name and field is not None:
            # Of two with one name, the same one whichever is first.
            found[name] = field if name not in found else richer(found[name], field)
    return tuple(found.items())[:MOST_FIELDS]


def read_agent(body: Mapping[str, Any]) -> str | None:
    """The name of the voice agent, where the body has it."""
    for key in sorted(body):
        if folded(key) in _AGENT:
            value = body[key]
            name = read_name(value.get("name") if isinstance(value, dict) else value)
            if name and not isinstance(value, bool):
                return name[:_LONGEST_NAME]
    return None


def shown(value: Extracted) -> str:
    """A value as people read it."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def richer(one: Extracted, other: Extracted) -> Extracted:
    """Of two values for one field the longer one; in either order the same."""
    return max(one, other, key=lambda value: (len(shown(value)), shown(value), type(value).__name__))


def _values(
    value: object, path: str, keys: Mapping[str, str], left: list[int], depth: int
) -> Iterator[tuple[str, object]]:
    """Every value with its path; a list of plain values as one, `{"name", "value"}` as what it names."""
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        return
    if isinstance(value, dict):
        if named := _named(value):
            yield f"{path}{named[0]}", named[1]
            return
        for key in value:
            yield from _of_key(key, value[key], path, keys, left, depth)
    elif isinstance(value, list):
        if any(isinstance(item, dict) for item in value):
            for item in value:
                yield from _values(item, path, keys, left, depth + 1)
        else:
            yield (
                path.rstrip("."),
                ", ".join(shown(one) for item in value[:50] if (one := _value(item)) is not None),
            )


def _of_key(
    key: str, value: object, path: str, keys: Mapping[str, str], left: list[int], depth: int
) -> Iterator[tuple[str, object]]:
    canonical, name = canonical_key(key, keys), folded(key)
    if canonical in _OURS or name in _OUR_NAMES or (name in _AGENT and not path):
        return
    is_wrapper = name in ENVELOPES and not path
    if is_wrapper and isinstance(value, str) and (parsed := _parsed(value)) is not None:
        value = parsed
    if isinstance(value, dict | list):
        yield from _values(value, path if is_wrapper else f"{path}{key}.", keys, left, depth + 1)
    else:
        left[0] -= 1
        if left[0] >= 0:
            yield f"{path}{key}", value


def _named(value: Mapping[str, Any]) -> tuple[str, object] | None:
    """`{"name": "order_number", "value": "1234"}`, as tools list fields."""
    names = {spelled(key): key for key in value}
    name = next((value[names[key]] for key in ("name", "key", "field", "label") if key in names), None)
    if not isinstance(name, str) or "value" not in names or len(value) > 4:
        return None
    inner = value[names["value"]]
    return None if isinstance(inner, dict | list) else (name, inner)


def _value(value: object) -> Extracted | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, str) or not has_value(value):
        return None
    text = read_name(value)
    return text[:LONGEST_VALUE].strip() or None if text else None


def _parsed(text: str) -> object:
    """The object or list in a text; None where it is none."""
    if len(text) > _LONGEST_JSON or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None
