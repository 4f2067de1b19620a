"""The accounts file -> accounts, and a line for each thing that is wrong with it.

[accounts.acme]
webhook_tokens = ["…"]
cloudtalk_access_key_id = "…"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bridge.accounts.account import Account
from bridge.accounts.reading import read_account, shared_places
from bridge.ledger.tags import ACCOUNT_NAME
from bridge.settings import Settings

MOST_ACCOUNTS = 10_000
LARGEST_FILE = 16_000_000
# `/webhooks/cloudtalk` is the unnamed account's.
_TAKEN = ("cloudtalk", "kustomer", "membrane")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One table of the file, and what was made of it.

    Attributes:
        wrong: a line for each mistake, `FILE: [accounts.NAME] key  what`; then it is not in use.
        shares_place: it is wrong because of another account, so it may be right though it has not changed.
    """

    table: Mapping[str, Any] = field(repr=False)
    account: Account
    wrong: tuple[str, ...] = ()
    shares_place: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsFile:
    """
    Attributes:
        wrong: what is wrong with the file as a whole.
        is_readable: else there are no entries, and it says nothing of the accounts.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    is_readable: bool = True

    @property
    def complaints(self) -> tuple[str, ...]:
        return (*self.wrong, *(line for one in self.entries.values() for line in one.wrong))


def read_accounts(path: Path, base: Settings, *, before: Mapping[str, Entry] | None = None) -> AccountsFile:
    """What the file holds.

    Args:
        base: the settings of the deployment.
        before: entries of the last time; a table that has not changed is not read again.
    """
    tables, wrong = tables_of(path)
    if tables is None:
        return AccountsFile(wrong=tuple(wrong), is_readable=False)
    entries: dict[str, Entry] = {}
    for name, table in tables.items():
        old = before.get(name) if before else None
        if old is not None and old.table == table and not old.shares_place:
            entries[name] = old
        else:
            entries[name] = read_entry(path, name, table, base)
    return AccountsFile(entries=with_places_apart(path, entries), wrong=tuple(wrong))


def with_places_apart(path: Path, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The same, but wrong is each that has its recordings where an earlier one has them."""
    found = dict(entries)
    for name, other in shared_places(one.account for one in entries.values() if not one.wrong).items():
        said = f"recordings_url  is that of [accounts.{other}] too; give each a place, or a recordings_prefix"
        wrong = (f"{path}: [accounts.{name}] {said}",)
        found[name] = replace(entries[name], wrong=wrong, shares_place=True)
    return found


def read_entry(path: Path, name: str, table: Mapping[str, Any], base: Settings) -> Entry:
    """One account, its rules and the files of its secrets included."""
    account, wrong = read_account(name, table, base=base, folder=path.absolute().parent)
    return Entry(
        table=table, account=account, wrong=tuple(f"{path}: [accounts.{name}] {line}" for line in wrong)
    )


def tables_of(path: Path) -> tuple[dict[str, Mapping[str, Any]] | None, list[str]]:
    """The tables by name, and what is wrong with the file; None where it cannot be read."""
    data, why = _bytes(path)
    if why:
        return None, [f"{path}: {why}"]
    try:
        found = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return None, [f"{path}: is not UTF-8; save it as UTF-8"]
    except tomllib.TOMLDecodeError as error:
        # It says line and column, and shows no value.
        return None, [f"{path}: is not TOML: {error}; correct that line"]
    except RecursionError:
        return None, [f"{path}: nests tables too deeply; write [accounts.NAME] for each account"]
    wrong = [f"{path}: {key}  is not known here; write [accounts.NAME]" for key in found if key != "accounts"]
    accounts = found.get("accounts", {})
    if not isinstance(accounts, dict):
        return None, [f"{path}: accounts  must be tables; write [accounts.NAME]"]
    tables: dict[str, Mapping[str, Any]] = {}
    for name, table in accounts.items():
        if complaint := _name_complaint(name, table):
            wrong.append(f"{path}: [accounts.{name[:60]}] {complaint}")
        elif len(tables) == MOST_ACCOUNTS:
            wrong.append(
                f"{path}: has more than {MOST_ACCOUNTS:,} accounts; give the others a deployment of their own"
            )
            break
        else:
            tables[name] = table
    return tables, wrong


def _name_complaint(name: str, table: object) -> str:
    if not ACCOUNT_NAME.fullmatch(name):
        return "is not an account name; use a-z, 0-9 and -, at most 40 of them, and no - at the start"
    if name in _TAKEN:
        return "is the name of a service; choose another one"
    return "" if isinstance(table, dict) else "must be a table; write its settings below [accounts.NAME]"


def _bytes(path: Path) -> tuple[bytes, str]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        return b"", f"cannot be read: {error.strerror}; name a file that this process may read"
    if len(data) > LARGEST_FILE:
        return b"", f"is longer than {LARGEST_FILE // 1_000_000} MB; take out accounts that are gone"
    return data, ""
