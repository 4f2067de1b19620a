"""How texts and names stand in Redis: encrypted where ENCRYPTION_KEYS says so. Nothing else decides that.

What the scripts read stays as it is: ids, times, states, triggers, counters. Encrypted are bodies, answers of
CloudTalk, and what is written or shown of people; phone numbers in names of keys become the same text each
time (`bridge.encryption.names`). Whatever has no header is read as it stands.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import redis

from bridge.boundary import boundary
from bridge.encryption.keyring import Keyring
from bridge.encryption.names import Names, new_secret
from bridge.encryption.texts import PREFIX, Place, decrypt, digest_of, encrypt, key_id_of
from bridge.ledger import keys
from bridge.ledger.calls.record_fields import Family, Field

Text = TypeVar("Text", str, str | None)
# Fields of a record that tell of a person, or what was answered or written. Whole, as no script reads them.
_WHOLE = frozenset(
    {
        Field.REASON, Field.ROW, Field.CUSTOMER_WHY, Field.CANDIDATES, Field.OWNER, Field.AGENT,
        Field.CLOSED, Field.STATE_BEFORE, Field.INSIGHTS, Field.CUE_CARD, Field.CUSTOMER_OF, Field.NUMBERS,
        Field.LEFT_TO_PEOPLE,
    }
)  # fmt: skip
_WHOLE_FAMILIES = (Family.INTENT, Family.CHANGE, Family.FORM, Family.REFUSED)
# Of an output, of which the scripts read the id.
_SENT = ("sent", "shown")
_SEALED = "sealed"
NAMES_SECRET = "names_secret"  # noqa: S105  # a field of META
# How long a process goes by the secret that it has read: Redis may have been emptied.
NAMES_FOR_S = 30.0


def event_place(part: str, fingerprint: str) -> Place:
    """Of a delivery or an answer in the hash `events:<part>`."""
    if keys.is_message(part):
        return message_place(fingerprint)
    return Place("events", part, fingerprint.removesuffix(":unsigned"))


def message_place(fingerprint: str) -> Place:
    """Of a delivery of a text message."""
    return Place("message", fingerprint)


def held_place(fingerprint: str) -> Place:
    """Of a delivery in `held` or `other`: some are moved from one to the other."""
    return Place("held", fingerprint)


def record_place(key: str, field: str) -> Place:
    return Place("call", key, field)


def names_place() -> Place:
    return Place("meta", NAMES_SECRET)


def is_for_encryption(field: str) -> bool:
    """Whether a field of a record is encrypted, all of it or a part."""
    return field in _WHOLE or field.startswith((*_WHOLE_FAMILIES, Family.OUTPUT))


class StoredTexts:
    """Args: client: must decode replies."""

    def __init__(self, client: redis.Redis, keyring: Keyring) -> None:
        self._redis, self.keyring = client, keyring
        self._names: tuple[float, Names] | None = None

    @property
    def is_on(self) -> bool:
        """Whether new texts are encrypted."""
        return self.keyring.first is not None

    # -- texts

    def text(self, place: Place, text: str) -> str:
        return encrypt(self.keyring, place, text)

    def opened(self, place: Place, text: Text) -> Text:
        """A stored text as it was.

        Raises:
            KeyMissing, Tampered: see `bridge.encryption.texts.decrypt`.
        """
        return text if text is None else decrypt(self.keyring, place, text)

    # -- deliveries and answers

    def value(self, place: Place, value: str) -> str:
        """A delivery as the scripts keep it: JSON with its body encrypted, and a digest of that beside it."""
        return value if self.keyring.first is None else sealed_value(self.keyring, place, value)

    def opened_value(self, place: Place, value: str) -> str:
        if PREFIX not in value:
            return value
        told = json.loads(value)
        told.pop("digest", None)
        return json.dumps({**told, "body": decrypt(self.keyring, place, told["body"])})

    # -- records

    def fields(self, key: str, flat: Sequence[str]) -> list[str]:
        """Names and values of a record's fields in turn, as scripts take them; an empty value deletes one."""
        if self.keyring.first is None:
            return list(flat)
        return [
            part
            for name, text in zip(flat[::2], flat[1::2], strict=True)
            for part in (name, self._field(record_place(key, name), text))
        ]

    def _field(self, place: Place, text: str) -> str:
        name = place.field
        if text and (name in _WHOLE or name.startswith(_WHOLE_FAMILIES)):
            return encrypt(self.keyring, place, text)
        if text and name.startswith(Family.OUTPUT):
            told = json.loads(text)
            sent = {part: told.pop(part) for part in _SENT if part in told}
            if not sent:
                # The stub of a packed one.
                return text
            return json.dumps({**told, _SEALED: encrypt(self.keyring, place, json.dumps(sent))})
        return text

    def opened_fields(self, key: str, fields: Mapping[str, Text]) -> dict[str, Text]:
        """Fields of a record as they were before `fields`."""
        return {
            name: self._opened_field(key, name, text) if text is not None and PREFIX in text else text
            for name, text in fields.items()
        }

    def _opened_field(self, key: str, name: str, text: Text) -> Text:
        place = record_place(key, name)
        if text is None or not name.startswith(Family.OUTPUT):
            return self.opened(place, text)
        told = json.loads(text)
        if not isinstance(told, dict) or _SEALED not in told:
            return text
        sent = json.loads(decrypt(self.keyring, place, told.pop(_SEALED)))
        return json.dumps({**told, **sent})

    def opened_events(self, part: str, events: Mapping[str, str]) -> dict[str, str]:
        return {name: self.opened_value(event_place(part, name), text) for name, text in events.items()}

    # -- names that are looked up

    def name(self, kind: str, name: str) -> str:
        """A phone number or another name, as it stands in a name of Redis; no name stays none."""
        return name if self.keyring.first is None else self.names().hidden(kind, name)

    def number(self, number: str) -> str:
        return self.name("number", number)

    def shown(self, kind: str, stored: str) -> str:
        """A name as it was."""
        return self.names().shown(kind, stored) if stored.startswith("~") else stored

    def names(self) -> Names:
        """What hides names; its secret is made once and kept, encrypted."""
        now = time.monotonic()
        if self._names is None or now > self._names[0]:
            self._names = (now + NAMES_FOR_S, Names(self._names_secret()))
        return self._names[1]

    @boundary("ledger.missing_key")
    def missing_key(self) -> str:
        """The id of the key without which no name can be looked up, if it is not in force here."""
        key_id = key_id_of(cast(str | None, self._redis.hget(keys.META, NAMES_SECRET)) or "")
        return key_id if key_id is not None and key_id not in self.keyring.ids else ""

    @boundary("ledger.names_secret")
    def _names_secret(self) -> str:
        stored = cast(str | None, self._redis.hget(keys.META, NAMES_SECRET))
        if stored is None:
            made = encrypt(self.keyring, names_place(), new_secret())
            self._redis.hsetnx(keys.META, NAMES_SECRET, made)
            stored = cast(str, self._redis.hget(keys.META, NAMES_SECRET))
        return decrypt(self.keyring, names_place(), stored)


def sealed_value(keyring: Keyring, place: Place, value: str) -> str:
    """See `StoredTexts.value`; the keyring has a key that encrypts."""
    told: dict[str, Any] = json.loads(value)
    body = told["body"]
    told["digest"] = digest_of(keyring, place, body)
    told["body"] = encrypt(keyring, place, body)
    return json.dumps(told)
