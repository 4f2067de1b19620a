"""What `callbridge forget --account NAME` does without a number or a call: all of an account, removed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from bridge import wiring
from bridge.accounts.file import read_entry, tables_of
from bridge.accounts.reading import place_of_recordings
from bridge.commands.confirming import confirm
from bridge.commands.context import read_settings
from bridge.commands.printing import say
from bridge.errors import Unavailable, WrongUse
from bridge.ledger import keys
from bridge.ledger.dump import remove_all
from bridge.ledger.faults import RedisError, why
from bridge.ledger.tags import ACCOUNT_NAME
from bridge.settings import Settings
from bridge.wording import counted


def forget_account(name: str, *, yes: bool) -> int:
    """Remove the records of an account that is no longer in the file, its recordings here and its folder.

    Raises:
        WrongUse: it is still in the file, or that is no name.
        Unavailable: Redis failed.
    """
    base = read_settings().need("redis")
    if not ACCOUNT_NAME.fullmatch(name):
        raise WrongUse(f"{name!r} is not an account name")
    path = base.callbridge_accounts
    tables, wrong = ({}, []) if path is None else tables_of(path)
    if tables is None:
        raise WrongUse(f"CALLBRIDGE_ACCOUNTS: {wrong[0]}")
    if name in tables:
        raise WrongUse(
            f"{name} is still in {path}: take its table out first, or name --number or --call to erase a part"
        )
    confirm(f"Permanently erase all records and recordings of the account {name}?", yes=yes)
    where = place_of_recordings(name, base)
    user = _user_of(where, path, tables, base)
    settings = base.of_account(name)
    removed = _records(settings)
    folder = base.data_dir / "accounts" / name
    has_folder = folder.is_dir()
    shutil.rmtree(folder, ignore_errors=True)
    scheme, _, place = where.partition(":")
    if user:
        say(f"Recordings below {where.partition('?')[0]} stay: {user} keeps its own there.")
        return 0
    if scheme == "file":
        shutil.rmtree(place, ignore_errors=True)
    say(f"{name}: {counted(removed, 'entry')} of the ledger removed.")
    say(f"Its folder {folder} is removed." if has_folder else f"It had no folder {folder}.")
    if scheme == "file":
        say(f"Recordings below {place} are removed; those in a recordings_url of its own are not.")
    else:
        place = where.partition("?")[0]
        say(f"Recordings are not removed here: delete what is below {place} in the bucket.")
    return 0


def _user_of(where: str, path: Path | None, tables: Mapping[str, Mapping[str, Any]], base: Settings) -> str:
    """The account of the file with its recordings in that place or below it, such as one that was renamed."""
    if path is None:
        return ""
    for name, table in tables.items():
        place = read_entry(path, name, table, base).account.settings.recordings_url
        if f"{place.partition('?')[0]}/".startswith(f"{where.partition('?')[0]}/"):
            return name
    return ""


def _records(settings: Settings) -> int:
    try:
        with closing(wiring.open_plain_redis(settings)) as plain:
            return remove_all(plain) + plain.unlink(keys.SCHEMA)
    except (RedisError, OSError) as error:
        raise Unavailable(f"{why(error)}. Run the same command again once that is repaired") from error
