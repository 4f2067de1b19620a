"""Secrets read from files: for every setting that is a secret, `NAME_FILE` names the file that holds it.

So a new secret setting has its `NAME_FILE` without a line here. No message shows what is in a file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bridge.setting_values import OpsToken

_SUFFIX = "_file"
# Of one file, in bytes: many times what the longest list of secrets needs.
LARGEST = 65_536
# Names that other programs may have given to something of theirs.
_OTHERS = ("host_file", "port_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVariable:
    """A variable that sets a secret.

    Args:
        name: of the variable, in lower case.
        field: of the settings; it may have a second spelling.
        is_list: a file may then hold one entry a line.
    """

    name: str
    field: str
    is_list: bool

    @property
    def file_name(self) -> str:
        """Of the variable that names the secret's file, as people write it."""
        return (self.name + _SUFFIX).upper()


@cache
def secret_variables(model: type[BaseModel]) -> Mapping[str, SecretVariable]:
    """The variables that set a secret, by their names in lower case."""
    found = {}
    for name, one in model.model_fields.items():
        # What holds a secret among other things, such as an address with a password, has no repr.
        if _holds_secret(one.annotation) or not one.repr:
            for spelling in _spellings(name, one):
                found[spelling] = SecretVariable(
                    name=spelling, field=name, is_list=get_origin(one.annotation) is list
                )
    return found


def file_variables(model: type[BaseModel]) -> frozenset[str]:
    """The names, in lower case, of the variables that name a secret's file."""
    return frozenset(name + _SUFFIX for name in secret_variables(model))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Some places with the secrets of their files put in.

    Args:
        places: as they were given; in place of each `NAME_FILE` there is `NAME`, with what is in the file.
        files: variable in lower case -> the file it was read from.
        wrong: a line for each file or variable that is.
    """

    places: tuple[Mapping[str, str | None], ...] = field(repr=False)
    files: Mapping[str, Path]
    wrong: tuple[str, ...]

    def complaint(self, name: str, text: str) -> str:
        """A line about the value of a variable: names its file, if it is from one."""
        return complaint(name, self.files.get(name.lower()), text)


def open_secrets(model: type[BaseModel], *places: Mapping[str, str | None]) -> Opened:
    """Read the secrets that variables name by file.

    Args:
        places: a later one wins: a secret that it sets, in whatever way, is not set by an earlier one.
    """
    known = secret_variables(model)
    opened: list[Mapping[str, str | None]] = []
    files: dict[str, Path] = {}
    wrong: list[str] = []
    taken: set[str] = set()
    for place in reversed(places):
        ways = _ways(known, place)
        texts = {name: value for name, value in place.items() if _field_of(known, name) is None}
        for of_field, names in ways.items():
            if of_field in taken:
                continue
            taken.add(of_field)
            by_file = [name for name in names if name.lower() not in known]
            if len(by_file) < len(names):
                texts |= {name: place[name] for name in names if name.lower() in known}
                wrong += [_set_twice(name, names) for name in by_file]
                continue
            wrong += [_set_twice(name, names) for name in by_file[1:]]
            variable = known[by_file[0].lower().removesuffix(_SUFFIX)]
            path = Path(str(place[by_file[0]]).strip())
            text, why = read_secret(path, is_list=variable.is_list)
            files[variable.name] = path
            if why:
                wrong.append(complaint(variable.name, path, why))
            else:
                texts[variable.name.upper()] = text
        opened.insert(0, texts)
    return Opened(places=tuple(opened), files=files, wrong=tuple(wrong))


def over(below: Mapping[str, str], above: Mapping[str, str], model: type[BaseModel]) -> dict[str, str]:
    """Both; a secret that `above` sets, by its value or by a file, is not set in the other way by `below`."""
    known = secret_variables(model)
    taken = {_field_of(known, name) for name, value in above.items() if value.strip()} - {None}
    return {name: value for name, value in below.items() if _field_of(known, name) not in taken} | dict(above)


def complaint(name: str, path: Path | None, text: str) -> str:
    """A line `NAME  what`, or `NAME_FILE  FILE: what` where the value is from a file."""
    if path is None:
        return f"{name.upper()}  {text}"
    return f"{(name + _SUFFIX).upper()}  {_shown(path)}: {text}"


def read_secret(path: Path, *, is_list: bool = False) -> tuple[str, str]:
    """The secret in a file without the blanks around it, and what is wrong with the file.

    Args:
        is_list: entries may stand in a line each.
    """
    try:
        # A pipe or a device would be waited for, and could be read only once.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return "", "is not a regular file"
            with os.fdopen(handle, "rb", closefd=False) as file:
                data = file.read(LARGEST + 1)
        finally:
            os.close(handle)
    except OSError as error:
        return "", f"cannot be read: {error.strerror}"
    except ValueError:
        return "", "is not the name of a file"
    if len(data) > LARGEST:
        return "", f"is longer than {LARGEST // 1024} KiB"
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return "", "is not UTF-8"
    if not text:
        return "", "is empty"
    if is_list:
        text = ",".join(line.strip().strip(",") for line in text.splitlines() if line.strip(" \t,"))
    return text, "" if text else "is empty"


def not_from_files(names: Iterable[str], where: str, model: type[BaseModel]) -> list[str]:
    """A line for each variable that would name the file of a setting that is no secret."""
    plain = {
        spelling + _SUFFIX
        for name, one in model.model_fields.items()
        for spelling in _spellings(name, one)
        if not one.exclude
    } - file_variables(model)
    return [
        f"{name} in {where} is not a setting: only secrets are read from files; set {name[: -len(_SUFFIX)]}"
        for name in sorted(names)
        if name.lower() in plain and name.lower() not in _OTHERS
    ]


def _set_twice(name: str, names: list[str]) -> str:
    others = " and ".join(one.upper() for one in names if one != name)
    return f"{name.upper()}  is set, and so is {others}: set only one of them"


def _shown(path: Path) -> str:
    """The path, unless it may be the secret itself, set under the wrong name."""
    try:
        is_path = path.is_absolute() or path.exists() or (len(path.parts) > 1 and path.parent.is_dir())
    except (OSError, ValueError):
        is_path = False
    return str(path) if is_path else "(not shown, as it does not look like a path)"


def _ways(known: Mapping[str, SecretVariable], place: Mapping[str, str | None]) -> Mapping[str, list[str]]:
    """Field -> the variables of a place that set it. One that is set to nothing is not set."""
    found: dict[str, list[str]] = {}
    for name, value in place.items():
        of_field = _field_of(known, name)
        if of_field is not None and value and value.strip():
            found.setdefault(of_field, []).append(name)
    return found


def _field_of(known: Mapping[str, SecretVariable], name: str) -> str | None:
    lower = name.lower()
    found = known.get(lower) or (known.get(lower.removesuffix(_SUFFIX)) if lower.endswith(_SUFFIX) else None)
    return found.field if found else None


def _spellings(name: str, one: FieldInfo) -> list[str]:
    alias = one.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [name]


def _holds_secret(annotation: Any) -> bool:
    return annotation in (SecretStr, OpsToken) or any(_holds_secret(part) for part in get_args(annotation))
