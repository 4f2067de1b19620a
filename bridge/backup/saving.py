"""`callbridge backup`: what goes into the file, in which order, and why that is enough.

The journal is read before the ledger: what is handed on meanwhile is then in both, and a repeat costs
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge import __version__, wiring
from bridge.backup.archive import (
    FORMAT,
    HEADER,
    INDEX,
    JOURNAL,
    LEDGER,
    RECORDINGS,
    RULES,
    SETTINGS,
    BackupWriter,
)
from bridge.errors import BridgeError, KeyMissing, Tampered
from bridge.journal.shelf import shelved
from bridge.ledger.calls.opening import opened_events
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.dump import Dumped, dump_lines, text_of
from bridge.ledger.ledger import Ledger
from bridge.ledger.schema import VERSION, check_schema
from bridge.ledger.stored import StoredTexts
from bridge.settings import Settings
from bridge.storage.contract import Missing

_EVENTS = b'{"key":"events:'
# Of a record's events: what was found out, and the field in which its bodies are packed.
_WANTED = ("obs:", Field.PACKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """
    Attributes:
        recordings: how many the ledger names.
        saved: how many of them are in the file.
        unread: what cannot be decrypted: records, which may name more, and recordings that were wanted.
    """

    bytes: int
    keys: int
    calls: int
    journal: int
    recordings: int
    saved: int
    unread: int = 0


def save(settings: Settings, ledger: Ledger, path: Path, *, recordings: bool = False) -> Saved:
    """Write a backup while the bridge works.

    Args:
        recordings: also the recordings themselves.
    Raises:
        WrongUse: the ledger is newer than this version.
        OSError: the file cannot be written; it is as it was before.
    """
    schema = check_schema(ledger).version or VERSION
    began_at = datetime.fromtimestamp(ledger.now_ms() / 1000, UTC).isoformat(timespec="milliseconds")
    seen, files = Dumped(), _Recordings(ledger.texts)
    with BackupWriter(path) as out:
        header = {"format": FORMAT, "schema": schema, "version": __version__, "began_at": began_at}
        out.add_json(HEADER, header)
        in_journal = 0
        for one in shelved(settings.data_dir / "journal"):
            in_journal += bool(out.add(f"{JOURNAL}{one.path.name}", _whole_lines(one.path)))
        with closing(wiring.open_plain_redis(settings)) as plain:
            out.add(LEDGER, files.noticed_in(dump_lines(plain, seen)))
        out.add_json(SETTINGS, settings_without_secrets(settings))
        if settings.callbridge_rules is not None and settings.callbridge_rules.is_file():
            out.add(RULES, [settings.callbridge_rules.read_bytes()])
        out.add_json(INDEX, list(files.found.values()))
        saved, unread = _add_recordings(settings, out, files.found) if recordings else (0, 0)
        out.end({"keys": seen.keys, "calls": seen.calls, "journal_files": in_journal})
    return Saved(
        bytes=path.stat().st_size,
        keys=seen.keys,
        calls=seen.calls,
        journal=in_journal,
        recordings=len(files.found),
        saved=saved,
        unread=files.unread + unread,
    )


def settings_without_secrets(settings: Settings) -> dict[str, Any]:
    """Name -> value as JSON; `"(set)"` for each secret that is set, None for what is not."""
    shown = json.loads(settings.model_dump_json())
    return {name.upper(): _without_secrets(value) for name, value in sorted(shown.items())}


def _without_secrets(value: Any) -> Any:
    """pydantic shows a secret as stars; an address of Redis loses its password by our own serializer."""
    if isinstance(value, list):
        return [_without_secrets(one) for one in value]
    if isinstance(value, dict):
        return {name: _without_secrets(one) for name, one in value.items()}
    return "(set)" if isinstance(value, str) and value and set(value) == {"*"} else value


def _whole_lines(path: Path) -> Iterator[bytes]:
    """A journal file as far as it is written; the last line may be on its way."""
    try:
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield line
    except FileNotFoundError:
        # Handed on in this moment, to the ledger, which is read after it.
        return


class _Recordings:
    """Which recordings the lines of a ledger name."""

    def __init__(self, texts: StoredTexts) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self.unread = 0
        self._texts = texts
        self._key, self._events = "", dict[str, str]()

    def noticed_in(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            if line.startswith(_EVENTS):
                told = json.loads(line)
                self._begin(told["key"].removeprefix("events:"))
                items = ((text_of(name), text_of(value)) for name, value in told["items"])
                self._events |= {name: text for name, text in items if name.startswith(_WANTED)}
            yield line
        self._begin("")

    def _begin(self, key: str) -> None:
        """What follows is of this record: a large one has several lines."""
        if key == self._key:
            return
        try:
            for text in opened_events(self._texts, self._key, self._events).values():
                self._notice(_parsed(text))
        except (BridgeError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # As the clock leaves it alone that packs it; the ledger is saved as it is.
            self.unread += 1
        self._key, self._events = key, {}

    def _notice(self, value: Any) -> None:
        """Files stand in observations as `{"name", "size", …}`, at a place of their own kind."""
        if isinstance(value, str) and value.startswith("{"):
            value = _parsed(value)
        if not isinstance(value, dict):
            return
        if isinstance(value.get("name"), str) and isinstance(value.get("size"), int):
            kept = ("name", "size", "sha256")
            self.found[value["name"]] = {name: value[name] for name in kept if name in value}
        for one in value.values():
            if isinstance(one, dict | str):
                self._notice(one)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _add_recordings(settings: Settings, out: BackupWriter, names: Iterable[str]) -> tuple[int, int]:
    """How many were added, and how many cannot be decrypted."""
    storage, count, unread = wiring.open_recordings(settings), 0, 0
    for name in names:
        try:
            out.add(f"{RECORDINGS}{name}", storage.open(name))
            count += 1
        except (Missing, ValueError):
            continue
        except (KeyMissing, Tampered):
            # The others are no worse for it.
            unread += 1
    return count, unread


def missing_recordings(settings: Settings, index: Iterable[dict[str, Any]]) -> int | None:
    """How many of these are not in the storage; None where it cannot be asked."""
    try:
        storage = wiring.open_recordings(settings)
        return sum(storage.size(one["name"]) is None for one in index)
    except (BridgeError, ValueError, OSError):
        return None
