"""A call's values inside what no-code tools put around them: objects, lists of one, JSON in a text.

A body is read where its call's ids are. They are looked for under names that tools use for the whole of
what they pass on; an id elsewhere may be that of another call, and is only pointed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.domain.webhook.keys import ENVELOPES, canonical_key, folded
from bridge.domain.webhook.values import read_call_id, read_uuid

_DEEPEST = 6
_MOST = 200
_LONGEST_JSON = 65_536
_BLANK = "\ufeff \t\r\n"
# A text with JSON in it, once more as JSON: `"{\"call_id\": …`.
_TWICE = re.compile(r'"\s*(?:\\[nrt])*\s*[{\[]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The object to read, others that may fill its gaps, and why none names a call."""

    body: Mapping[str, Any]
    others: tuple[Mapping[str, Any], ...] = ()
    trouble: str = ""


def is_native(body: Mapping[str, Any]) -> bool:
    """Whether this has the form of CloudTalk's native envelope: a type such as `call.ended`, and data."""
    kind = body.get("type")
    return isinstance(kind, str) and "." in kind and isinstance(body.get("data"), dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inside:
    path: str
    body: Mapping[str, Any]
    # All names on the way are those of envelopes.
    wrapped: bool


def unwrap(body: Mapping[str, Any], keys: Mapping[str, str]) -> Found:
    """The object inside `body` that names a call; `body` itself where it does, or where none is found.

    Args:
        keys: folded key -> canonical key.
    """
    if is_native(body) or not any(map(holds_more, body.values())):
        return Found(body=body)
    inside = list(_walk(body, "", wrapped=True, left=[_MOST]))
    wrapped = [one for one in inside if one.wrapped]
    naming = [one for one in wrapped if _ids_of(one.body, keys)]
    ids = _ids_of(body, keys)
    if _is_delivery_id(body, keys):
        sure = [one for one in naming if not _is_delivery_id(one.body, keys)]
        naming, ids = (sure, ()) if sure else (naming, ids)
    if not ids and naming:
        if len({_ids_of(one.body, keys) for one in naming}) > 1:
            where = " and ".join(f"`{one.path}`" for one in naming[:2])
            return Found(body=body, trouble=f"contains several calls, at {where}; send one webhook per call")
        body, ids = naming[0].body, _ids_of(naming[0].body, keys)
    elif not ids and (astray := next((one for one in inside if _ids_of(one.body, keys)), None)):
        why = f"has call ids only inside `{astray.path}`; put them at the top level of the body"
        return Found(body=body, trouble=why)
    others = [one.body for one in wrapped if one.body is not body and _ids_of(one.body, keys) in ((), ids)]
    return Found(body=body, others=tuple(others))


def as_call(value: Mapping[str, Any]) -> dict[str, Any]:
    """What stands under the key `call`: its `id` is that of the call."""
    return {**({"call_id": value["id"]} if "id" in value else {}), **value}


def _ids_of(body: Mapping[str, Any], keys: Mapping[str, str]) -> tuple[object, ...]:
    """The ids of a call that an object names; empty where it names none."""
    found: dict[str, object] = {}
    if is_native(body):
        body = body["data"]
    for key, value in body.items():
        name = canonical_key(key, keys)
        read = read_call_id(value) if name == "call_id" else read_uuid(value) if name == "call_uuid" else None
        if name is not None and read is not None:
            found[name] = read
    return tuple(found[name] for name in sorted(found))


def _is_delivery_id(body: Mapping[str, Any], keys: Mapping[str, str]) -> bool:
    """Whether all that names a call is a bare `uuid`: an envelope's may be that of the delivery."""
    named = [key for key in body if canonical_key(key, keys) in ("call_id", "call_uuid")]
    return [folded(key) for key in named] == ["uuid"]


def _walk(value: object, path: str, *, wrapped: bool, left: list[int], depth: int = 0) -> Iterator[_Inside]:
    """Every object inside a value, outermost first."""
    left[0] -= 1
    if depth > _DEEPEST or left[0] < 0:
        return
    if isinstance(value, str):
        yield from _walk(_parsed(value), path, wrapped=wrapped, left=left, depth=depth + 1)
    elif isinstance(value, list):
        for nth, item in enumerate(value[:_MOST]):
            yield from _walk(item, f"{path}[{nth}]", wrapped=wrapped, left=left, depth=depth + 1)
    elif isinstance(value, dict):
        if path:
            yield _Inside(path=path, body=value, wrapped=wrapped)
        if is_native(value):
            return
        for key, item in value.items():
            name = folded(key)
            if name == "call" and isinstance(item, dict):
                item = as_call(item)
            inner = f"{path}.{key}" if path else key
            yield from _walk(item, inner, wrapped=wrapped and name in ENVELOPES, left=left, depth=depth + 1)


def holds_more(value: object) -> bool:
    """Whether a value may hold others. Most bodies are flat, and read thousands of times a minute."""
    return isinstance(value, dict | list) or (
        isinstance(value, str)
        and (
            (first := (text := value.lstrip(_BLANK))[:1]) in ("{", "[")
            or (first == '"' and bool(_TWICE.match(text)))
        )
    )


def _parsed(text: str) -> object:
    """The JSON in a text; None where it is none."""
    if len(text) > _LONGEST_JSON or not holds_more(text):
        return None
    try:
        return json.loads(text.lstrip(_BLANK))
    except (ValueError, RecursionError):
        return None
