"""Brings what is stored under older keys, or as it is, under the first key; and counts what is under which.

Goes through all keys of the ledger in small steps, while others work with it: a text that is written
meanwhile stays. Whatever is done is known by its header: after a run that was killed, the next does the rest.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from bridge.boundary import boundary
from bridge.encryption.texts import PREFIX, Place, key_id_of
from bridge.errors import KeyMissing, Tampered
from bridge.ledger import keys, scripts
from bridge.ledger.calls.opening import BYTES_AS, CALL, EVENTS, packed_key_id, packed_place, resealed_packed
from bridge.ledger.calls.record_fields import Family, Field
from bridge.ledger.ledger import Ledger
from bridge.ledger.renaming import rename_all, renamed_number
from bridge.ledger.stored import NAMES_SECRET, event_place, held_place, is_for_encryption, names_place

# Keys asked for at once, and texts of a large hash.
_KEYS, _TEXTS = 100, 100
# Of everything that is stored as it is.
PLAIN = "plain"
_IDS = re.compile(re.escape(PREFIX) + "([0-9a-f]{8}):")
_FAMILIES = ("call", "events", "held", "other", "customer", "cache", "newest", "meta")


@dataclass(slots=True)
class Tally:
    """What was found, and done.

    Attributes:
        by_key: id of a key, or `plain` -> how many texts are stored so, after what was done.
        changed: how many were encrypted anew.
        unreadable: how many were left, as their key is missing.
        damaged: where a text stands that cannot be decrypted with its key, at most 100 of them.
        is_whole: everything was looked at.
    """

    by_key: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    unreadable: int = 0
    damaged: list[str] = field(default_factory=list)
    is_whole: bool = False


class Reencryption:
    """Args:
    dry: only counts.
    until: a time (`time.monotonic`) at which it ends.
    """

    def __init__(self, ledger: Ledger, *, dry: bool = False, until: float | None = None) -> None:
        self._ledger, self._dry, self._until = ledger, dry, until
        self._reseal = ledger.redis.register_script(scripts.source("reseal"))
        self.tally = Tally()

    def run(self, tell: Callable[[Tally], None] = lambda _: None) -> Tally:
        """Go through everything; `tell` is called after each step."""
        if not self._dry and self._ledger.texts.keyring.is_on:
            rename_all(self._ledger)
        cursor = 0
        while True:
            with boundary("reencrypting.scan"):
                cursor, names = self._ledger.redis.scan(cursor, match=f"{keys.TAG}:*", count=_KEYS)
            for name in cast(list[str], names):
                self._key(name)
            tell(self.tally)
            if cursor == 0:
                self.tally.is_whole = True
                return self.tally
            if self._until is not None and time.monotonic() > self._until:
                return self.tally

    def _key(self, name: str) -> None:
        family, _, rest = name.removeprefix(f"{keys.TAG}:").partition(":")
        if family not in _FAMILIES or (rest and family in ("held", "other", "meta", "newest")):
            return
        if family in ("customer", "cache"):
            self._text(name, Place(family, rest))
            return
        for fields in self._parts(name):
            self._fields(name, family, rest, fields)

    def _parts(self, name: str) -> Iterator[Mapping[str, str]]:
        cursor = 0
        while True:
            with boundary("reencrypting.read"):
                cursor, found = self._ledger.redis.hscan(name, cursor, count=_TEXTS)
            yield cast(Mapping[str, str], found)
            if cursor == 0:
                return

    def _text(self, name: str, place: Place) -> None:
        with boundary("reencrypting.read"):
            text = cast(str | None, self._ledger.redis.get(name))
        if text is not None:
            texts = self._ledger.texts
            self._put(name, [("", text, place, lambda: texts.text(place, texts.opened(place, text)))])

    def _fields(self, name: str, family: str, part: str, fields: Mapping[str, str]) -> None:
        found = []
        for one, text in fields.items():
            place = _place_of(family, part, one)
            if place is not None:
                found.append((one, text, place, self._again(family, part, one, text, place)))
        self._put(name, found)

    def _again(self, family: str, part: str, one: str, text: str, place: Place) -> Callable[[], str]:
        texts = self._ledger.texts
        if one == Field.PACKED:
            return lambda: resealed_packed(texts, place, text)
        if family in ("events", "held", "other"):
            return lambda: texts.value(place, texts.opened_value(place, text))
        if family == "call" and one == Field.INDEXED:
            return lambda: renamed_number(texts, text)
        if family == "call":
            return lambda: texts.fields(part, [one, texts.opened_fields(part, {one: text})[one]])[1]
        return lambda: texts.text(place, texts.opened(place, text))

    def _put(self, name: str, found: list[tuple[str, str, Place, Callable[[], str]]]) -> None:
        wanted = self._ledger.texts.keyring.first
        own = PLAIN if wanted is None else wanted.id
        again: list[str] = []
        ids: list[str] = []
        for one, text, place, make in found:
            is_name = one == Field.INDEXED and place.family == "call"
            key_id = own if is_name else _key_id(place, text)
            if key_id is None:
                continue
            self.tally.by_key[key_id] += not is_name
            if (key_id == own and not is_name) or self._dry:
                continue
            try:
                new = make()
            except KeyMissing:
                self.tally.unreadable += 1
            except Tampered:
                self.tally.damaged = [*self.tally.damaged, str(place)][:100]
            else:
                if new != text:
                    again += [one, text, new]
                    ids.append(key_id)
        if again:
            with boundary("reencrypting.put"):
                # What is packed is no text.
                words = [text.encode("utf-8", BYTES_AS) for text in again]
                done = int(self._reseal(keys=[name], args=words))
            self.tally.changed += done
            # What was written meanwhile was written under the first key.
            for key_id in ids:
                self.tally.by_key[key_id] -= 1
                self.tally.by_key[own] += 1


def _place_of(family: str, part: str, one: str) -> Place | None:
    """Where a text of a hash belongs; None: it is never encrypted."""
    if one == Field.PACKED and family in (CALL, EVENTS):
        return packed_place(family, part)
    if family == "events":
        return event_place(part, one)
    if family in ("held", "other"):
        return held_place(one)
    if family == "call":
        return Place("call", part, one) if is_for_encryption(one) or one == Field.INDEXED else None
    if family == "meta":
        return names_place() if one == NAMES_SECRET else None
    return Place("newest", one.removeprefix("of:")) if one.startswith("of:") else None


def _key_id(place: Place, text: str) -> str | None:
    """The key of a stored text: of all of it, or of what is encrypted in its JSON. None: it holds nothing."""
    if place.field == Field.PACKED:
        return packed_key_id(text) or PLAIN
    if place.field.startswith(Family.OUTPUT) and '"sent"' not in text and PREFIX not in text:
        return None
    if place.family == EVENTS and '"body"' not in text:
        # The stub of what is packed.
        return None
    if (key_id := key_id_of(text)) is not None:
        return key_id
    if PREFIX not in text:
        return PLAIN
    try:
        told = json.loads(text)
    except ValueError:
        return PLAIN
    inner = [told.get("body"), told.get("sealed")] if isinstance(told, dict) else []
    return next((id_ for one in inner if isinstance(one, str) and (id_ := key_id_of(one))), PLAIN)
