"""What settings are read from: the environment, a `.env` file, and the files that their values name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import AliasChoices, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource

from bridge.domain.rules.model import LARGEST_FILE, Rules
from bridge.errors import WrongUse
from bridge.secret_files import complaint, file_variables, not_from_files
from bridge.setting_names import misspelt
from bridge.storage.opening import open_storage

# Fields that no variable sets.
_NO_SETTINGS = ("rules",)


class Given(EnvSettingsSource):
    """One mapping of names to texts, read as pydantic-settings reads the environment.

    One that is set to nothing is not set: that is how most tools unset one. A line end belongs to the
    file that a value was read from.
    """

    def __init__(self, settings_cls: type[BaseSettings], given: Mapping[str, str | None]) -> None:
        self._given = given
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        stripped = {name.lower(): value.strip() for name, value in self._given.items() if value}
        return {name: value for name, value in stripped.items() if value and name not in _NO_SETTINGS}


def given_again(
    settings_cls: type[BaseSettings],
    given: Mapping[str, Any],
    texts: Mapping[str, str],
    files: Mapping[str, Path],
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the settings were made of, with other secrets.

    Args:
        texts: variable, in lower case -> the new secret.
        files: variable -> where it is from.
    Returns:
        What the settings accept, and variable -> what is wrong with its secret, which stays as it was.
    """
    wrong: dict[str, str] = {}
    good = dict(texts)
    while True:
        found = {**given, **Given(settings_cls, good)()}
        try:
            settings_cls(**found)
        except ValidationError as error:
            for fault in error.errors(include_input=False, include_url=False):
                name = str(fault["loc"][0]).lower()
                wrong[name] = complaint(name, files.get(name), plain(fault["msg"]))
                if good.pop(name, None) is None:
                    # Of two that do not go together only one is named, and its other value is no better.
                    good.clear()
        else:
            return found, wrong


def read_file(path: Path | None) -> tuple[Mapping[str, str | None], list[str]]:
    """The variables of a `.env` file, and what is wrong with it; none where it is not there."""
    if path is None or not path.is_file():
        return {}, []
    try:
        return dotenv_values(path, interpolate=False), []
    except UnicodeDecodeError:
        return {}, [f"{path}  cannot be read: it is not UTF-8"]
    except OSError as error:
        return {}, [f"{path}  cannot be read: {error.strerror}"]


def misspelt_in(where: str, names: Iterable[str], settings_cls: type[BaseSettings]) -> list[str]:
    """A line for each of the names that is no setting, and nearly one."""
    aliases = {
        str(choice)
        for field in settings_cls.model_fields.values()
        if isinstance(field.validation_alias, AliasChoices)
        for choice in field.validation_alias.choices
    }
    known = (set(settings_cls.model_fields) | aliases | file_variables(settings_cls)).difference(_NO_SETTINGS)
    names = set(names)
    files = not_from_files(names, where, settings_cls)
    names -= {line.partition(" ")[0] for line in files}
    return files + [
        f"{name} in {where} is not a setting; did you mean {near}?" for name, near in misspelt(names, known)
    ]


def read_rules(path: Path | None) -> tuple[Rules, list[str]]:
    """The rules of a file, and a line `FILE:LINE:COLUMN: what; remedy` for each mistake in it."""
    if path is None:
        return Rules(), []
    from bridge.domain.rules.file import read_rules_bytes

    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        remedy = "name a file that this process may read in CALLBRIDGE_RULES"
        return Rules(), [f"{path}:1:1: cannot be read: {error.strerror}; {remedy}"]
    found = read_rules_bytes(data)
    return replace(found.rules, source=str(path)), [complaint.at(path) for complaint in found.wrong]


def storage_complaints(url: str, data_dir: Path) -> list[str]:
    """What is wrong with RECORDINGS_URL, its library included."""
    try:
        open_storage(url, data_dir=data_dir)
    except WrongUse as error:
        return [f"RECORDINGS_URL  {str(error).removeprefix('RECORDINGS_URL: ')}"]
    return []


def plain(message: str) -> str:
    """pydantic's message, to go on after the setting's name."""
    for kind, wanted in (("a valid integer", "a whole number"), ("a valid number", "a number")):
        if message.startswith(f"Input should be {kind}") or (kind[8:] in message and "parse" in message):
            return f"must be {wanted}"
    if message.startswith("Input should be a valid boolean"):
        return "must be true or false"
    return message.removeprefix("Value error, ").replace("Input should be", "must be")
