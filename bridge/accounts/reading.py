"""One table of the accounts file -> the settings of that account.

What a table does not say is taken from the environment, unless it is a secret or speaks of one company: so
the environment has the defaults of all accounts.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AliasChoices

from bridge.accounts.account import Account
from bridge.secret_files import file_variables, open_secrets, secret_variables
from bridge.setting_needs import ALL_NEEDS, Need
from bridge.settings import Settings

# Of the process, whichever account it is at work for: no account may set them, and all have them.
OF_THE_PROCESS = frozenset(
    {
        "redis_url", "redis_appendfsync", "redis_server", "accept_after", "accept_within_ms",
        "webhook_pipelining", "journal_mb", "data_dir", "host", "port", "sandbox_port",
        "connections_per_peer", "drain_s", "worker_threads", "log_format", "log_level", "sentry_dsn",
        "metrics_public", "callbridge_accounts",
    }
)  # fmt: skip
# Of one company, though no secrets: never taken from the environment.
_OF_ONE_COMPANY = frozenset(
    {
        "membrane_cloudtalk_connection", "membrane_kustomer_connection", "kustomer_app_url",
        "synthetic_call_every_s", "synthetic_call_number", "synthetic_call_url", "recordings_url",
    }
)  # fmt: skip
# What a table has besides settings, and short names of settings.
_PREFIX, _PAUSED, _RULES = "recordings_prefix", "paused", "rules"
_PREFIX_FORM = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)+")
_PATHS = frozenset({"callbridge_rules"})
_PUT_IN = {_RULES: "callbridge_rules"}
# Without REDIS_URL the deployment itself says so, and `callbridge up` needs none.
_NEEDS: tuple[Need, ...] = tuple(one for one in ALL_NEEDS if one != "redis")


def read_account(
    name: str, table: Mapping[str, Any], *, base: Settings, folder: Path
) -> tuple[Account, list[str]]:
    """The account, and what is wrong with its table: `key  what; remedy` each. Then it is not to be used.

    Args:
        base: the deployment's settings.
        folder: that of the file; paths in the table begin there.
    """
    texts, wrong = _texts(table, folder)
    opened = open_secrets(Settings, texts)
    own: dict[str, object] = {key.lower(): text for key, text in opened.places[0].items() if text}
    own["data_dir"] = base.data_dir / "accounts" / name
    prefix = table.get(_PREFIX)
    if prefix is not None and not (isinstance(prefix, str) and _PREFIX_FORM.fullmatch(prefix)):
        wrong.append(f"{_PREFIX}  must be a path such as {name}/, with letters, digits, '.', '-' and '_'")
        prefix = None
    own["recordings_url"] = _recordings(own.get("recordings_url"), prefix, name, base)
    settings, complaints = Settings.of_given(_inherited(base) | own, opened)
    wrong += [_own_words(line) for line in (*opened.wrong, *complaints)]
    named = {line.partition("  ")[0].removesuffix("_file") for line in wrong}
    for line in map(_own_words, settings.missing(*_NEEDS)):
        key, _, what = line.partition("  ")
        if key not in named:
            wrong.append(f"{key}  is missing: {what}")
    paused = table.get(_PAUSED, False)
    if not isinstance(paused, bool):
        wrong.append(f"{_PAUSED}  must be true or false")
    settings = settings.of_account(name)
    if not settings.encryption_keys:
        # Else what a deployment encrypts would be in the clear for one company, and nobody would notice.
        settings = settings.with_keys_of(base)
    account = Account(name=name, settings=settings, is_paused=paused is True)
    return account, list(dict.fromkeys(_with_short_names(line, table) for line in wrong))


def _texts(table: Mapping[str, Any], folder: Path) -> tuple[dict[str, str], list[str]]:
    """The table as an environment has it: texts by the names of settings."""
    texts: dict[str, str] = {}
    wrong: list[str] = []
    for key, value in table.items():
        if key in (_PREFIX, _PAUSED):
            continue
        name = _PUT_IN.get(key, key)
        if complaint := _key_complaint(key, name, table):
            wrong.append(f"{key}  {complaint}")
            continue
        text = _text(value)
        if text is None:
            wrong.append(f"{key}  must be a text, a number, true or false, or a list of texts without commas")
        elif name in _PATHS or name in file_variables(Settings):
            texts[name] = str(folder / text) if text.strip() else ""
        else:
            texts[name] = text.strip()
    return texts, wrong


def _key_complaint(key: str, name: str, table: Mapping[str, Any]) -> str:
    if name != key and name in table:
        return f"is set, and so is {name}: set only one of them"
    if name.removesuffix("_file") in OF_THE_PROCESS and (name in OF_THE_PROCESS or name in _known()):
        return "is of the whole deployment; set it in the environment, not for an account"
    if name in _known():
        return ""
    near = difflib.get_close_matches(key, [*_known(), *_PUT_IN, _PREFIX, _PAUSED], n=1, cutoff=0.6)
    return f"is not a setting of an account{f'; did you mean {near[0]}?' if near else ''}"


@cache
def _known() -> frozenset[str]:
    """The names of settings as a table may have them, those of the process included."""
    names: set[str] = set()
    for name, one in Settings.model_fields.items():
        alias = one.validation_alias
        if name != "rules":
            names |= {str(choice) for choice in alias.choices} if isinstance(alias, AliasChoices) else {name}
    return frozenset(names | file_variables(Settings))


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str) and "," not in one for one in value):
        return ",".join(value)
    return None


def _inherited(base: Settings) -> dict[str, object]:
    """What an account has from the environment."""
    secrets = set(secret_variables(Settings)) - OF_THE_PROCESS
    return {name: value for name, value in base.given.items() if name not in secrets | _OF_ONE_COMPANY}


def _recordings(own: object, prefix: str | None, name: str, base: Settings) -> str:
    """Where this account's recordings are kept: below the deployment's, unless it has a place of its own."""
    if own is not None:
        return _below(str(own), prefix, base.data_dir / "accounts" / name) if prefix else str(own)
    return _below(base.recordings_url, prefix or f"{name}/", base.data_dir)


def place_of_recordings(name: str, base: Settings) -> str:
    """Where an account's recordings are kept that says nothing of it."""
    return _recordings(None, None, name, base)


def _below(url: str, prefix: str, data_dir: Path) -> str:
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.path:
        return f"file:{quote(str(data_dir.absolute() / 'recordings' / PurePosixPath(prefix)))}"
    path = f"{parts.path.rstrip('/')}/{prefix.rstrip('/')}"
    if parts.scheme == "file":
        return f"file:{path}"
    return urlunsplit(parts._replace(path=path))


def _own_words(line: str) -> str:
    """A line about a setting, with its name as the table has it."""
    name, sep, text = line.partition("  ")
    name = name.lower()
    return f"{name}{sep}{text}"


def _with_short_names(line: str, table: Mapping[str, Any]) -> str:
    """The same, where the table has the short name of a setting."""
    for short, name in _PUT_IN.items():
        if short in table and name not in table and line.startswith(f"{name}  "):
            return line.replace(name, short).replace(name.upper(), short)
    return line


def shared_places(accounts: Iterable[Account]) -> Mapping[str, str]:
    """Name -> an earlier account with its recordings in the same place: each would delete the other's."""
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for one in accounts:
        url = one.settings.recordings_url
        if url in first:
            found[one.name] = first[url]
        first.setdefault(url, one.name)
    return found
