"""The tag that the keys of an account begin with, and what a command looks like with it.

`keys.py` and the scripts spell keys as those of the deployment's own, unnamed account: `{callbridge}:…`. The
keys of an account `acme` begin with `{callbridge:acme}`: an account is in one slot of a cluster. The clients
of an account (`account_clients.py`) put its tag in on the way out, and take it out of names that SCAN gives.

The scripts of the unnamed account have its tag in their text. All named accounts share one second text of
each, which takes the tag from its first key: Redis' store of scripts does not grow with accounts.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import Any

from bridge.ledger.keys import PROCESSES, TAG, WAKE

# Of an account: becomes part of keys, paths, addresses and labels.
ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_START = f"{TAG}:"
_START_BYTES = _START.encode()
# What processes tell of themselves is of the deployment.
_SHARED = (PROCESSES, PROCESSES.encode())
_SCRIPTS = ("EVALSHA", "EVAL")
# What only the text for accounts has, for wakers of many (`workers/many.py`).
_FOR_ACCOUNTS = "-- accounts: "
# The first key's tag; a key without one is a mistake of ours.
_ROOT_LINE = "local ROOT = string.match(KEYS[1], '^{callbridge:[^}]*}:')\n"


def tag_of(account: str) -> str:
    """The tag of an account; the unnamed one's for an empty name."""
    return f"{{callbridge:{account}}}" if account else TAG


def account_of(name: str) -> str | None:
    """The account that a key or a channel belongs to, empty for the unnamed one; None: it is not ours."""
    if name.startswith(_START):
        return ""
    start, sep, _ = name.partition("}:")
    account = start.removeprefix("{callbridge:")
    return account if sep and account != start and ACCOUNT_NAME.fullmatch(account) else None


def wake_channel(account: str) -> str:
    """Where it is heard that something became due."""
    return tag_of(account) + WAKE.removeprefix(TAG)


# All keys but those of the unnamed account, as a pattern.
KEYS_OF_ACCOUNTS = "{callbridge:*"
# All accounts' wake-ups but the unnamed one's, as a pattern.
WAKE_OF_ACCOUNTS = "{callbridge:*}:wake"


@cache
def script_for_accounts(text: str) -> str:
    """A script's text with the tag of its first key in place of the unnamed account's.

    Raises:
        ValueError: the tag stands in it as nobody expects it here.
    """
    text = text.replace(_FOR_ACCOUNTS, "")
    if TAG not in text:
        return text
    text = text.replace(f"'{TAG}:'", "ROOT").replace(f"'{TAG}:", "ROOT .. '")
    if TAG in text:
        raise ValueError("a script names a key in a way that cannot be one of an account's")
    return _ROOT_LINE + text


def learn_script(text: str) -> str:
    """The text for accounts; from now on `sha_for_accounts` knows the given one's digest."""
    own = script_for_accounts(text)
    _digests.setdefault(_digest(text), _digest(own))
    return own


def sha_for_accounts(sha: str) -> str:
    """The digest of what accounts run in place of this script; the same where that was not learnt."""
    return _digests.get(sha, sha)


# Of the scripts that were learnt, as many as there are.
_digests: dict[str, str] = {}


@cache
def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Tagging:
    """Commands of one account."""

    def __init__(self, account: str) -> None:
        if not ACCOUNT_NAME.fullmatch(account):
            raise ValueError(f"{account!r} is no name of an account")
        self.account = account
        self.tag = tag_of(account)
        self._start = f"{self.tag}:"
        self._bytes = self._start.encode()

    def name(self, one: Any) -> Any:
        """A key or channel of this account; whatever else stays as it is."""
        if isinstance(one, str):
            if one.startswith(_START) and one not in _SHARED:
                return self._start + one[len(_START) :]
        elif isinstance(one, bytes) and one.startswith(_START_BYTES) and one not in _SHARED:
            return self._bytes + one[len(_START_BYTES) :]
        return one

    def words(self, words: tuple[Any, ...]) -> tuple[Any, ...]:
        """A command as Redis gets it. Of a script only its keys are names; its arguments may be anything."""
        command = words[0]
        if command in _SCRIPTS:
            keys_end = 3 + int(words[2])
            script = sha_for_accounts(words[1]) if command == "EVALSHA" else learn_script(_text(words[1]))
            return (command, script, words[2], *map(self.name, words[3:keys_end]), *words[keys_end:])
        if command == "SCRIPT LOAD":
            return (command, learn_script(_text(words[1])), *words[2:])
        if command == "SCRIPT EXISTS":
            return (command, *map(sha_for_accounts, words[1:]))
        return (command, *map(self.name, words[1:]))

    def own(self, name: Any) -> Any:
        """A key's name as `keys.py` spells it."""
        if isinstance(name, bytes):
            return _START_BYTES + name[len(self._bytes) :] if name.startswith(self._bytes) else name
        return _START + name[len(self._start) :] if name.startswith(self._start) else name


def _text(script: Any) -> str:
    return bytes(script).decode() if isinstance(script, bytes | memoryview) else str(script)
