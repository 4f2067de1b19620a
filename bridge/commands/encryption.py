"""`callbridge encryption`: make a key, count what is stored under which, store all under the first one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.commands.tables import show_table
from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import new_key as make_key
from bridge.errors import WrongUse
from bridge.jobs.encrypting import Encrypting, Stored
from bridge.ledger.reencrypting import PLAIN
from bridge.settings import Settings
from bridge.wiring import journal_folder, open_recordings
from bridge.wording import counted

_DONE, _LEFT = 0, 3


@click.group()
def encryption() -> None:
    """Encrypt what is stored in Redis, the journal and RECORDINGS_URL (ENCRYPTION_KEYS)."""


@encryption.command("new-key")
def new_key() -> int:
    """Print a new random key, for ENCRYPTION_KEYS or its file. It is stored nowhere: keep a copy."""
    say(make_key())
    return _DONE


@encryption.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, as_json: bool) -> int:
    """Count what is stored under which key. Exit code 3: some of it needs a key other than the first.

    Reads everything in the ledger and the first bytes of each recording; changes nothing.
    """
    with _opened(None) as (work, settings):
        found = work.look()
    return _show(found, settings, as_json=as_json)


@encryption.command()
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="End after so many minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def apply(*, minutes: float | None, as_json: bool) -> int:
    """Encrypt what is stored plain or under older keys anew, while the bridge works.

    With `none` as the first key everything is stored plain again. What is done stays done: if it is ended
    or killed, run it again. Exit code 3: something is left; it says how much under which key.
    """
    with _opened(None if minutes is None else minutes * 60) as (work, settings):
        found = work.apply(_Progress() if not as_json and sys.stderr.isatty() else lambda _: None)
    return _show(found, settings, as_json=as_json)


@contextmanager
def _opened(within_s: float | None) -> Iterator[tuple[Encrypting, Settings]]:
    with opened_ledger() as (ledger, settings):
        if not settings.keyring.is_on:
            raise WrongUse(
                "ENCRYPTION_KEYS is not set. `callbridge encryption new-key` makes a key; "
                "deploy/secrets.md says how to use it"
            )
        storage = open_recordings(settings)
        yield Encrypting(ledger, storage, journal_folder(settings), within_s=within_s), settings


class _Progress:
    """A line on the terminal, at most every few hundred texts."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self, found: Stored) -> None:
        done = found.ledger.changed + found.files.changed
        if done >= self._told + 500:
            self._told = done
            say(f"{done:,} encrypted anew so far", err=True)


def _show(found: Stored, settings: Settings, *, as_json: bool) -> int:
    keyring = settings.keyring
    left = found.left(keyring)
    is_done = found.is_whole and not left and not found.damaged
    if as_json:
        say(json.dumps(_as_json(found, keyring, left), indent=2))
        return _DONE if is_done else _LEFT
    own = [*keyring.ids, *(one for one in found.by_key if one not in (*keyring.ids, PLAIN)), PLAIN]
    rows = [
        (
            one,
            _role(one, keyring),
            *(f"{max(0, tally.by_key[one]):,}" for tally in found.places.values()),
        )
        for one in own
    ]
    show_table(("key", "use", *found.places), rows)
    changed = sum(tally.changed for tally in found.places.values())
    if changed:
        say(f"{changed:,} encrypted anew." if keyring.first else f"{changed:,} stored plain again.")
    for line in _advice(found, keyring, left, has_accounts=settings.callbridge_accounts is not None):
        say(line)
    return _DONE if is_done else _LEFT


def _role(key_id: str, keyring: Keyring) -> str:
    if key_id == PLAIN:
        return "not encrypted"
    if key_id not in keyring.ids:
        return "MISSING in ENCRYPTION_KEYS"
    return "encrypts" if keyring.first is not None and keyring.first.id == key_id else "only decrypts"


def _advice(found: Stored, keyring: Keyring, left: Mapping[str, int], *, has_accounts: bool) -> Iterator[str]:
    for one in found.damaged:
        yield f"Damaged, or moved from another place: {one}"
    for one in left:
        if one != PLAIN and one not in keyring.ids:
            yield f"Key {one} is missing: add it after the others, or what it encrypted cannot be read."
    if not found.is_whole:
        yield "The time ran out before the end: run it again."
    elif left:
        yield f"{counted(sum(left.values()), 'text')} left; `callbridge encryption apply` goes on."
    else:
        first = keyring.first.id if keyring.first is not None else ""
        unused = [one for one in keyring.ids if not found.by_key.get(one) and one != first]
        yield from (f"Nothing stored here needs key {one} any more." for one in unused)
        if unused and has_accounts:
            yield "That is one account of several: apply to each (--account NAME) before a key is taken out."


def _as_json(found: Stored, keyring: Keyring, left: Mapping[str, int]) -> dict[str, object]:
    return {
        "encrypts": keyring.first.id if keyring.first is not None else None,
        "keys": list(keyring.ids),
        "stored": {
            place: {one: count for one, count in tally.by_key.items() if count > 0}
            for place, tally in found.places.items()
        },
        "changed": sum(tally.changed for tally in found.places.values()),
        "left": dict(left),
        "unreadable": found.unreadable,
        "damaged": found.damaged,
        "is_whole": found.is_whole,
    }
