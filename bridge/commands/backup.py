"""`callbridge backup`: the ledger and what belongs to it, in one file."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from bridge import wiring
from bridge.accounts.source import AccountsSource
from bridge.backup.saving import Saved, save
from bridge.commands.context import chosen_account, read_settings
from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.errors import WrongUse
from bridge.wording import counted

# `.` stands in no name of an account.
_UNNAMED = "unnamed.account"


@contextmanager
def ending_tidily() -> Iterator[None]:
    """Let SIGTERM end the command as an error does, so that no half-written file stays."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--recordings", is_flag=True, help="Also the recordings themselves, which may be large.")
@click.option(
    "--all-accounts", is_flag=True, help="Into the folder FILE: a backup of each account, NAME.backup."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@ending_tidily()
def backup(*, file: Path, recordings: bool, all_accounts: bool, as_json: bool) -> int:
    """Write a backup while the bridge works: ledger, journal, rules, settings without secrets.

    FILE is replaced only once the new backup is whole. It holds names, numbers and what callers said: keep
    it as you keep the ledger.
    """
    if not file.absolute().parent.is_dir():
        raise WrongUse(f"{file.absolute().parent} is no folder")
    if all_accounts:
        return _all(file, recordings=recordings, as_json=as_json)
    if file.is_dir():
        raise WrongUse(f"{file} is a folder; name a file (or add --all-accounts)")
    with opened_ledger() as (ledger, settings):
        try:
            done = save(settings, ledger, file, recordings=recordings)
        except OSError as error:
            raise _cannot_write(file, error) from error
    if as_json:
        say(json.dumps({"file": str(file), **asdict(done)}, indent=2))
        return 0
    say(
        f"{file}: {counted(done.calls, 'call')}, {counted(done.keys, 'entry')}, "
        f"{counted(done.journal, 'journal file')}; {done.bytes:,} bytes"
    )
    inside = f"{done.saved} of {counted(done.recordings, 'recording')}" if recordings else "no recordings"
    say(f"It holds {inside} (the ledger names {done.recordings}).")
    _say_unread(done)
    return 0


def _cannot_write(file: Path, error: OSError) -> WrongUse:
    """Nothing of it is left, and a backup that was there before still is."""
    if error.errno == errno.ENOSPC:
        return WrongUse(f"{file} cannot be written: its disk is full; free some, or name a file on another")
    return WrongUse(
        f"{file} cannot be written: {error.strerror or error}; name a file where this user may write"
    )


def _say_unread(done: Saved) -> None:
    if done.unread:
        say(
            f"Recordings are left out, as {done.unread:,} of the records and recordings cannot be decrypted: "
            "see `callbridge encryption status`",
            err=True,
        )


def _all(folder: Path, *, recordings: bool, as_json: bool) -> int:
    """One file for each account; the unnamed one's has a name that no account can have."""
    accounts = AccountsSource(read_settings().need("redis"), logs=False)
    if chosen_account(os.environ):
        raise WrongUse("--all-accounts backs up all of them: leave out --account and CALLBRIDGE_ACCOUNT")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found: dict[str, Saved] = {}
    for name, account in accounts.now().items():
        with wiring.opened_ledger(account.settings) as ledger:
            file = folder / f"{name or _UNNAMED}.backup"
            try:
                found[str(file)] = save(account.settings, ledger, file, recordings=recordings)
            except OSError as error:
                raise _cannot_write(file, error) from error
    if as_json:
        say(json.dumps([{"file": file, **asdict(done)} for file, done in found.items()], indent=2))
    else:
        for name, done in found.items():
            say(f"{name}: {counted(done.calls, 'call')}, {counted(done.keys, 'entry')}; {done.bytes:,} bytes")
            _say_unread(done)
    for line in accounts.complaints():
        say(f"Not backed up: {line}", err=True)
    return 0 if not accounts.complaints() else 1
