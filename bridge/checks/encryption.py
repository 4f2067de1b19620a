"""Whether all keys are there that what is stored needs, and which are needed no more."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.checks.check import Check
from bridge.errors import BridgeError
from bridge.jobs.encrypting import Encrypting, Stored
from bridge.ledger.ledger import Ledger
from bridge.ledger.reencrypting import PLAIN
from bridge.settings import Settings
from bridge.wiring import journal_folder, open_recordings

_NAME = "encryption"
_WITHIN_S = 2.0
# Of those who encrypt nothing: only to find what somebody encrypted before.
_WITHIN_S_OFF = 0.2


def look_at_encryption(settings: Settings, ledger: Ledger) -> Iterator[Check]:
    """Looks for two seconds at most; in a large ledger at a part of it."""
    keyring = settings.keyring
    try:
        work = Encrypting(
            ledger,
            open_recordings(settings),
            journal_folder(settings),
            within_s=_WITHIN_S if keyring.is_on else _WITHIN_S_OFF,
        )
        found = work.look()
    except BridgeError as error:
        yield Check(_NAME, "warn", f"not checked: {error}", "see the other checks")
        return
    missing = [one for one in found.by_key if one not in (*keyring.ids, PLAIN)]
    for one in missing:
        yield Check(
            _NAME,
            "FAIL",
            f"{found.by_key[one]} texts are encrypted with key {one}, which ENCRYPTION_KEYS does not hold",
            "add that key after the others; jobs that need it wait, and nothing is lost",
        )
    if keyring.is_on:
        yield from _keys(settings, found)


def _keys(settings: Settings, found: Stored) -> Iterator[Check]:
    keyring = settings.keyring
    own = keyring.first.id if keyring.first is not None else PLAIN
    what = "new texts are stored plain" if own == PLAIN else f"key {own} encrypts"
    part = "" if found.is_whole else ", in the part that was checked"
    rest = [
        f"{found.by_key.get(one, 0)} under key {one}" if one != PLAIN else f"{found.by_key[PLAIN]} plain"
        for one in (*keyring.ids, PLAIN)
        if one != own and found.by_key.get(one)
    ]
    if rest:
        yield Check(_NAME, "warn", f"{what}; still {', '.join(rest)}{part}", "callbridge encryption apply")
    else:
        yield Check(_NAME, "ok", f"{what}; nothing is stored otherwise{part}")
    unused = [one for one in keyring.ids if one != own and not found.by_key.get(one)]
    if unused and found.is_whole:
        yield Check(
            _NAME,
            "ok",
            f"nothing stored here needs it any more: key {', '.join(unused)}",
            "remove it from ENCRYPTION_KEYS, unless a backup needs it"
            + (" or another account (--account NAME)" if settings.callbridge_accounts is not None else ""),
        )
