"""The account that a command is to work on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from bridge.accounts.file import read_entry, tables_of
from bridge.errors import WrongUse
from bridge.settings import Settings
from bridge.wording import counted

_MOST_NAMED = 8


def choose_account(base: Settings, name: str) -> Settings:
    """The settings of an account of the file; no other table is read.

    Raises:
        WrongUse: there is no such account, or its table is wrong.
    """
    path = base.callbridge_accounts
    if path is None:
        raise WrongUse(
            f"There is no account {name!r}: this deployment has no accounts. Leave out --account (and "
            "CALLBRIDGE_ACCOUNT), or name their file in CALLBRIDGE_ACCOUNTS"
        )
    tables, wrong = tables_of(path)
    if tables is None:
        raise WrongUse(f"CALLBRIDGE_ACCOUNTS: {wrong[0]}")
    if name not in tables:
        raise WrongUse(f"There is no account {name!r} in {path}.{nearest(name, tables)}")
    entry = read_entry(path, name, tables[name], base)
    if entry.wrong:
        raise WrongUse("\n".join(["This account is wrong:", *(f"  {line}" for line in entry.wrong)]))
    return entry.account.settings


def need_account(base: Settings) -> None:
    """Check that a command which names no account can do without: the environment is one itself.

    Raises:
        WrongUse: there are only named ones.
    """
    path = base.callbridge_accounts
    if path is None or not base.missing("webhooks") or not base.missing("cloudtalk", "kustomer"):
        return
    tables, _ = tables_of(path)
    raise WrongUse(
        "Which account? This deployment has only named ones: callbridge --account NAME …"
        f"{nearest('', tables or ())}"
    )


def nearest(name: str, names: Iterable[str]) -> str:
    """What to choose from, to go on after a sentence."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) if name else []
    if near:
        return f" Did you mean {' or '.join(near)}?"
    shown = ", ".join(known[:_MOST_NAMED])
    more = f" … ({counted(len(known), 'account')}; `callbridge accounts` lists them)"
    return f" There are: {shown}{more if len(known) > _MOST_NAMED else ''}." if known else ""
