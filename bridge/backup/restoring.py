"""`callbridge restore`: what is refused, and what is put where."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bridge import wiring
from bridge.backup.archive import INDEX, JOURNAL, LEDGER, RECORDINGS, RULES, SETTINGS, Backup
from bridge.backup.saving import missing_recordings, settings_without_secrets
from bridge.errors import WrongUse
from bridge.ledger.dump import Restored, is_empty, restore_lines
from bridge.ledger.ledger import Ledger
from bridge.ledger.schema import VERSION, read_schema
from bridge.settings import Settings
from bridge.storage.contract import CONTENT_TYPES, Exists

_PIECE = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    Attributes:
        recordings_missing: named by the ledger and not in the storage; None where it cannot be asked.
        says: what a person should still do.
    """

    ledger: Restored
    journal: int
    recordings: int
    recordings_missing: int | None
    says: list[str]


def describe(backup: Backup) -> dict[str, Any]:
    """What is in it, for `--dry-run`."""
    names = backup.names
    return {
        "began_at": backup.header["began_at"],
        "version": backup.header["version"],
        "schema": backup.header["schema"],
        "calls": backup.manifest["calls"],
        "keys": backup.manifest["keys"],
        "journal_files": sum(name.startswith(JOURNAL) for name in names),
        "recordings_named": len(backup.json(INDEX)),
        "recordings_inside": sum(name.startswith(RECORDINGS) for name in names),
        "rules": RULES in names,
        "settings": backup.json(SETTINGS),
    }


def obstacles(backup: Backup, ledger: Ledger, settings: Settings, *, replace: bool) -> list[str]:
    """Why it is not restored here, a line each; empty: nothing is in its way."""
    found = []
    if int(backup.header["schema"]) > VERSION:
        found.append(
            f"It holds a ledger of schema {backup.header['schema']} and this version knows {VERSION}: "
            f"install callbridge {backup.header['version']} or newer"
        )
    if running := ledger.processes():
        names = ", ".join(f"{one.kind} (pid {one.pid} on {one.host})" for one in running)
        found.append(f"Processes work on this ledger: stop them first: {names}")
    here = read_schema(ledger)
    if here.version is not None and here.version > VERSION and not replace:
        found.append(here.refusal)
    with closing(wiring.open_plain_redis(settings)) as plain:
        if not replace and not here.restoring and not is_empty(plain):
            found.append("The ledger at REDIS_URL is not empty; --replace deletes what it holds")
    return found


def restore(backup: Backup, ledger: Ledger, settings: Settings, *, replace: bool) -> Outcome:
    """Put everything in its place.

    Raises:
        WrongUse: something is in the way (`obstacles`); nothing was changed.
    """
    if found := obstacles(backup, ledger, settings, replace=replace):
        raise WrongUse("\n".join(found))
    # What a restore that was cut off left goes as well.
    replace = replace or read_schema(ledger).restoring
    in_journal = _restore_journal(backup, settings.data_dir / "journal")
    recordings = _restore_recordings(backup, settings)
    with closing(wiring.open_plain_redis(settings)) as plain, backup.open(LEDGER) as lines:
        done = restore_lines(ledger, plain, lines, schema=int(backup.header["schema"]), replace=replace)
    return Outcome(
        ledger=done,
        journal=in_journal,
        recordings=recordings,
        recordings_missing=missing_recordings(settings, backup.json(INDEX)),
        says=[*_restore_rules(backup, settings), *_other_settings(backup, settings)],
    )


def _restore_journal(backup: Backup, folder: Path) -> int:
    count = 0
    for name, file in backup.parts(JOURNAL):
        if "/" in name or name.startswith("."):
            continue
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        count += _write_new(folder / name, file)
    return count


def _write_new(path: Path, file: IO[bytes]) -> bool:
    """Whether it was written; one that is there already is as it was, or has been worked on since."""
    if path.exists():
        return False
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
        out.writelines(_pieces(file))
        out.flush()
        os.fsync(out.fileno())
    new.replace(path)
    return True


def _restore_recordings(backup: Backup, settings: Settings) -> int:
    count = 0
    if not any(name.startswith(RECORDINGS) for name in backup.names):
        return 0
    storage = wiring.open_recordings(settings)
    for name, file in backup.parts(RECORDINGS):
        kind = {".wav": CONTENT_TYPES["wav"], ".mp3": CONTENT_TYPES["mp3"]}.get(Path(name).suffix)
        try:
            storage.write(name, _pieces(file), content_type=kind or CONTENT_TYPES["txt"])
        except Exists:
            continue
        count += 1
    return count


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _restore_rules(backup: Backup, settings: Settings) -> list[str]:
    if RULES not in backup.names:
        return []
    text, path = backup.read(RULES), settings.callbridge_rules
    if path is not None and path.is_file() and path.read_bytes() == text:
        return []
    kept = settings.data_dir / "rules.from-backup.toml"
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept.write_bytes(text)
    kept.chmod(0o600)
    return [f"The rules of the backup are not those in force here: they are in {kept}; set CALLBRIDGE_RULES"]


def _other_settings(backup: Backup, settings: Settings) -> list[str]:
    """Settings that are not as they were; addresses and folders differ on another machine by nature."""
    here = settings_without_secrets(settings)
    found = []
    for name, value in backup.json(SETTINGS).items():
        if here.get(name) == value or name in ("REDIS_URL", "DATA_DIR", "HOST", "PORT", "CALLBRIDGE_RULES"):
            continue
        found.append(f"{name} was {value!r} and is {here.get(name)!r} here")
    return found
