"""The values of a webhook body under one name each, however its keys are spelled and nested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bridge.domain.webhook.envelopes import as_call
from bridge.domain.webhook.keys import FIRST_NAME, FULL_NAME, LAST_NAME, canonical_key, folded
from bridge.domain.webhook.values import has_value

_NUMBERS = ("number_e164", "e164", "number", "phone_number", "phone", "public_number", "phone_e164")


def _parts(of: str, **more: tuple[str, ...]) -> dict[str, str]:
    """Folded key inside an object -> canonical key; of two that tell the same the first one counts."""
    names = {
        f"{of}_id": ("id",),
        f"{of}_name": FULL_NAME,
        f"{of}_first_name": FIRST_NAME,
        f"{of}_last_name": LAST_NAME,
        **more,
    }
    return {key: canonical for canonical, keys in names.items() for key in keys}


_MAIL = ("email", "e_mail", "mail")
_CONTACT = _parts("contact", external_number=_NUMBERS, contact_email=_MAIL)
_AGENT = _parts("agent", agent_email=_MAIL)
# Which keys may hold an object, by their canonical or else their folded name, and what is in it.
_OBJECTS: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("contact_name", "contact", "contacts", "customer", "caller", "client"), _CONTACT),
    **dict.fromkeys(("agent_name", "agent", "agents", "user", "operator"), _AGENT),
    "external_number": dict.fromkeys(_NUMBERS, "external_number"),
    "internal_number": dict.fromkeys(_NUMBERS, "internal_number"),
    "recording_url": dict.fromkeys(("url", "link", "recording_url", "href"), "recording_url"),
}
# Of any other object.
_USUAL = ("name", "value", "number", "id")


def fields_of(*bodies: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """The values under their canonical names; of two keys for one thing the one that tells something.

    Args:
        bodies: the first one counts before the others.
        keys: folded key -> canonical key.
    """
    fields: dict[str, Any] = {}
    for name, value in (pair for body in bodies for pair in _pairs(body, keys)):
        if name not in fields or (has_value(value) and not has_value(fields[name])):
            fields[name] = value
    return fields


def in_order(names: Iterable[str], keys: Mapping[str, str]) -> list[str]:
    """The keys of a body: exact names before aliases, aliases in alphabetical order.

    The order in which a body has them then makes no difference.
    """
    exact = set(keys.values())
    ranked = sorted((name not in exact, name, key) for key, name in ((key, folded(key)) for key in names))
    return [key for _, _, key in ranked]


def _pairs(body: Mapping[str, Any], keys: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Canonical names and values: what stands in the body itself, then what is in its objects."""
    nested = []
    for key in in_order(body, keys):
        value = body[key]
        if isinstance(value, list) and value and isinstance(value[0], dict) and _objects_of(key, keys):
            # The first of several contacts is the caller.
            value = value[0]
        if isinstance(value, dict):
            nested.append((key, value))
        elif name := canonical_key(key, keys):
            yield name, value
    for key, value in nested:
        if folded(key) == "call":
            yield from _pairs(as_call(value), keys)
        elif parts := _objects_of(key, keys):
            by_name = {folded(inner): value[inner] for inner in sorted(value)}
            yield from ((canonical, by_name[inner]) for inner, canonical in parts.items() if inner in by_name)
        elif name := canonical_key(key, keys):
            yield from ((name, value[inner]) for inner in _USUAL if inner in value)


def _objects_of(key: str, keys: Mapping[str, str]) -> Mapping[str, str] | None:
    return _OBJECTS.get(canonical_key(key, keys) or "") or _OBJECTS.get(folded(key))
