"""The packed form of a record, of calls that are quiet: what it is, and how it is read. `packing.py` makes
it.

Most of a record is text that says the same in every call: names of fields, the lines of a note. In the
packed form the values of a hash stand together, compressed, in one field of it (`Field.PACKED`): of a call's
hash the outputs and the log, of the hash of its events the bodies. Each value leaves a stub under its own
name, with what scripts and lists read. So a script that deletes or replaces a value need not know of this:
without its stub a packed value does not count, and a whole value counts before a packed one.

A packed field is bytes, not text: the first names the form, the rest is raw deflate with
`packed_words.WORDS` as its dictionary. Clients read bytes that are no UTF-8 as lone surrogates
(`connect.py`).

This is the one place through which packed bodies and texts pass.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.ledger.calls.packed_words import WORDS
from bridge.ledger.calls.record_fields import Family, Field

# The hash of a call, the hash of its events, its log.
Part = tuple[Mapping[str, str], Mapping[str, str], list[str]]

_FORM = b"\x01"
# Of all bodies that one part may hold, many times over.
_MOST_BYTES = 256 * 1024 * 1024
_OUTPUTS, _LOG = "out", "log"
# Of an event's value, what scripts read and change; of an answer to our questions, what they read.
_OF_EVENTS, _OF_ANSWERS = ("at", "last_at", "times", "signed"), ("at",)
# As the scripts bound a log.
MOST_LINES = 200


class UnknownForm(ValueError):
    """A later version packed it, or it is damaged."""


def compress(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, WORDS)
    # Bodies may hold half a surrogate pair, which JSON allows.
    return _FORM + squeezer.compress(text.encode("utf-8", "surrogatepass")) + squeezer.flush()


def decompress(text: str) -> Mapping[str, Any]:
    """Raises: UnknownForm."""
    kept = text.encode("utf-8", "surrogateescape")
    if kept[:1] != _FORM:
        raise UnknownForm("a record is packed in a form that this version does not know")
    try:
        reader = zlib.decompressobj(-15, zdict=WORDS)
        value = json.loads(reader.decompress(kept[1:], _MOST_BYTES).decode("utf-8", "surrogatepass"))
    except (zlib.error, ValueError) as error:
        raise UnknownForm("a packed record cannot be read") from error
    if not isinstance(value, dict):
        raise UnknownForm("a packed record cannot be read")
    return value


# -- reading


def unpacked(part: Part) -> Part:
    """A part of a record in its plain form."""
    fields, events, lines = part
    if Field.PACKED in fields:
        fields, lines = _plain_fields(fields, lines)
    return fields, plain_events(events), lines


def _plain_fields(fields: Mapping[str, str], lines: list[str]) -> tuple[dict[str, str], list[str]]:
    packed = decompress(fields[Field.PACKED])
    plain = {name: text for name, text in fields.items() if name != Field.PACKED}
    for name, value in packed[_OUTPUTS].items():
        field = Family.OUTPUT.field(name)
        if field in plain and "sent" not in json.loads(plain[field]):
            plain[field] = json.dumps(value)
    return plain, [*lines, *map(json.dumps, packed[_LOG])]


def packed_lines(text: str | None) -> list[str]:
    """The lines of a log that are in the packed field of a call, newest first."""
    return [] if text is None else list(map(json.dumps, decompress(text)[_LOG]))


def plain_events(events: Mapping[str, str]) -> Mapping[str, str]:
    """The hash of a call's events in its plain form; also of some of its fields, with `Field.PACKED`."""
    text = events.get(Field.PACKED)
    if text is None:
        return events
    packed = decompress(text)
    plain = {name: text for name, text in events.items() if name != Field.PACKED}
    for name, stub in plain.items():
        value = json.loads(stub)
        # A stub that stood in the way of a signed event was moved by learn.lua.
        whole = packed.get(name) or packed.get(name.removesuffix(":unsigned"))
        if whole is not None and "body" not in value:
            body = json.dumps(whole["body"], separators=(",", ":"), ensure_ascii=False)
            plain[name] = json.dumps({**whole, **value, "body": body})
    return plain


# -- making


def packed(part: Part) -> tuple[dict[str, str | bytes], dict[str, str | bytes]] | None:
    """Both hashes of a part as they are to be kept; its log is in the first. None: nothing can be packed.

    Raises:
        ValueError: something in it is not as the bridge writes it, or would not be read as it is now.
    """
    if not _is_worth_it(part):
        return None
    plain = unpacked(part)
    fields, events, lines = plain
    call = _packed_fields(fields, lines[:MOST_LINES])
    kept = _packed_events(events)
    again = unpacked((_as_read(call), _as_read(kept), []))
    if not _says_the_same(plain, again):
        raise ValueError("it would be read otherwise")
    return call, kept


def _is_worth_it(part: Part) -> bool:
    """Whether anything stands in it that could be packed."""
    fields, events, lines = part
    outputs = any("sent" in json.loads(text) for text in Family.OUTPUT.of(fields).values())
    bodies = any("body" in json.loads(text) for name, text in events.items() if name != Field.PACKED)
    return bool(lines) or outputs or bodies


def _packed_fields(fields: Mapping[str, str], lines: Sequence[str]) -> dict[str, str | bytes]:
    outputs = {name: json.loads(text) for name, text in Family.OUTPUT.of(fields).items()}
    if not outputs and not lines:
        return dict(fields)
    # Lists read the id of the conversation.
    stubs = {
        Family.OUTPUT.field(name): f'{{"id":{json.dumps(value["id"])}}}' if name == "conversation" else "{}"
        for name, value in outputs.items()
    }
    whole = {_OUTPUTS: outputs, _LOG: [json.loads(line) for line in lines]}
    return {**fields, **stubs, Field.PACKED: compress(whole)}


def _packed_events(events: Mapping[str, str]) -> dict[str, str | bytes]:
    stubs: dict[str, str | bytes] = {}
    bodies: dict[str, Mapping[str, Any]] = {}
    for name, text in events.items():
        value = json.loads(text)
        kept = _OF_ANSWERS if name.startswith("obs:") else _OF_EVENTS
        stub = {key: value[key] for key in kept if key in value}
        stubs[name] = json.dumps(stub, separators=(",", ":"))
        bodies[name] = {key: value[key] for key in value if key not in kept}
        bodies[name] = {**bodies[name], "body": json.loads(value["body"])}
    return {**stubs, Field.PACKED: compress(bodies)} if bodies else {}


def _as_read(kept: Mapping[str, str | bytes]) -> dict[str, str]:
    return {
        name: value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        for name, value in kept.items()
    }


def _says_the_same(one: Part, other: Part) -> bool:
    return all(
        _read(before) == _read(after) for before, after in zip(one[:2], other[:2], strict=True)
    ) and list(map(json.loads, one[2][:MOST_LINES])) == list(map(json.loads, other[2]))


def _read(values: Mapping[str, str]) -> dict[str, Any]:
    """Each value as what it says, however it is written down."""
    return {name: _said(text) for name, text in values.items()}


def _said(text: str) -> Any:
    if not text.startswith("{"):
        return text
    value = json.loads(text)
    return {**value, "body": json.loads(value["body"])} if isinstance(value.get("body"), str) else value
