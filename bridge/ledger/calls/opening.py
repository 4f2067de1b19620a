"""The parts of a record as Redis holds them, and as they were: encrypted and packed, or neither.

What is packed is encrypted as a whole (`bridge.encryption.blocks`): compressed first, as what is encrypted
does not compress.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.encryption.blocks import MAGIC, block, opened
from bridge.encryption.texts import Place
from bridge.ledger.calls.packed import Part, packed_lines, plain_events, unpacked
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.stored import StoredTexts, event_place

# As clients read bytes that are no text (`bridge.ledger.connect`).
BYTES_AS = "surrogateescape"
_MAGIC = MAGIC.decode()
CALL, EVENTS = "call", "events"
Kept = Mapping[str, str | bytes]


def packed_place(family: str, key: str) -> Place:
    return Place(family, key, Field.PACKED)


def opened_part(texts: StoredTexts, key: str, part: Part) -> Part:
    """A part as it was.

    Raises:
        KeyMissing, Tampered: a text of it cannot be decrypted.
    """
    fields, events, lines = part
    fields, events = _with_packed(texts, CALL, key, fields), _with_packed(texts, EVENTS, key, events)
    fields, events, lines = unpacked((fields, events, lines))
    return texts.opened_fields(key, fields), texts.opened_events(key, events), lines


def opened_events(texts: StoredTexts, key: str, events: Mapping[str, str]) -> Mapping[str, str]:
    """The same of some events of it, with `Field.PACKED`."""
    return texts.opened_events(key, plain_events(_with_packed(texts, EVENTS, key, events)))


def opened_lines(texts: StoredTexts, key: str, text: str | None) -> list[str]:
    """The lines of a log that are in the packed field of a call, newest first."""
    return packed_lines(None if text is None else _opened(texts, packed_place(CALL, key), text))


def sealed_part(texts: StoredTexts, key: str, call: Kept, kept: Kept) -> tuple[Kept, Kept]:
    """Both hashes of a plain or packed part as they are to be kept."""
    if not texts.is_on:
        return call, kept
    return _sealed_fields(texts, key, call), {
        name: block(texts.keyring, packed_place(EVENTS, key), value)
        if isinstance(value, bytes)
        else _sealed_event(texts, key, name, value)
        for name, value in kept.items()
    }


def resealed_packed(texts: StoredTexts, place: Place, text: str) -> str:
    """A packed field under the first key."""
    data = opened(texts.keyring, place, text.encode("utf-8", BYTES_AS))
    return block(texts.keyring, place, data).decode("utf-8", BYTES_AS)


def packed_key_id(text: str) -> str | None:
    """The id of the key of a packed field; None: it is not encrypted."""
    if not text.startswith(_MAGIC):
        return None
    return text.encode("utf-8", BYTES_AS)[len(MAGIC) : len(MAGIC) + 4].hex()


def _sealed_fields(texts: StoredTexts, key: str, call: Kept) -> Kept:
    plain = [part for pair in call.items() if isinstance(pair[1], str) for part in pair]
    flat = texts.fields(key, [str(part) for part in plain])
    packed = {
        name: block(texts.keyring, packed_place(CALL, key), value)
        for name, value in call.items()
        if isinstance(value, bytes)
    }
    return {**dict(zip(flat[::2], flat[1::2], strict=True)), **packed}


def _sealed_event(texts: StoredTexts, key: str, name: str, value: str) -> str:
    # The stub of a packed one has no body.
    return texts.value(event_place(key, name), value) if '"body"' in value else value


def _with_packed(texts: StoredTexts, family: str, key: str, fields: Mapping[str, str]) -> Mapping[str, str]:
    text = fields.get(Field.PACKED)
    if text is None or not text.startswith(_MAGIC):
        return fields
    return {**fields, Field.PACKED: _opened(texts, packed_place(family, key), text)}


def _opened(texts: StoredTexts, place: Place, text: str) -> str:
    if not text.startswith(_MAGIC):
        return text
    return opened(texts.keyring, place, text.encode("utf-8", BYTES_AS)).decode("utf-8", BYTES_AS)
