"""Records of a journal, encrypted one by one: when each came stays readable."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bridge.encryption.keyring import Keyring
from bridge.encryption.texts import PREFIX, Place, decrypt, encrypt

_SEALED = re.compile(re.escape(PREFIX) + "[0-9a-f]{8}:[A-Za-z0-9_=-]+")
_CLEAR = ("at", "account")
_AT = re.compile('"at": ([0-9]+)')


def line_text(keyring: Keyring, record: Mapping[str, Any]) -> bytes:
    """A record as JSON; with a key that encrypts, all but its `at` and `account` is encrypted.

    Args:
        record: `at` is when it came, ms since 1970; `account` whose it is, if it is a named one's.
    """
    text = json.dumps(record)
    if keyring.first is None:
        return text.encode()
    at = int(record["at"])
    clear = {name: record[name] for name in _CLEAR if name in record}
    return json.dumps({**clear, "sealed": encrypt(keyring, _place(at), text)}).encode()


def record_in(keyring: Keyring, text: bytes) -> Mapping[str, Any]:
    """The record again.

    Raises:
        KeyMissing, Tampered: it cannot be decrypted.
    """
    told: Mapping[str, Any] = json.loads(text)
    if "sealed" not in told:
        return told
    found: Mapping[str, Any] = json.loads(decrypt(keyring, _place(int(told["at"])), told["sealed"]))
    return found


def shown(keyring: Keyring, line: str) -> str:
    """A line of a journal with what is encrypted in it behind it, as it was: to look for a person.

    Raises:
        KeyMissing: it was encrypted with a key that is not in force.
    """
    sealed, at = _SEALED.search(line), _AT.search(line)
    if sealed is None or at is None:
        return line
    text = decrypt(keyring, _place(int(at[1])), sealed[0])
    return line + text + json.dumps(json.loads(text), ensure_ascii=False)


def _place(at_ms: int) -> Place:
    return Place("journal", str(at_ms))
