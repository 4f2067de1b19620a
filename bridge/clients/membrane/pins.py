"""Which action of Membrane's a key stands for, kept in a small file beside what its schema was then."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bridge.errors import WrongUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """`schema`: a digest of the action's input schema, `sha256:…`."""

    connection: str
    key: str
    id: str
    schema: str


class Pins:
    """The lock file; None keeps the pins in memory only. A file is written whole or not at all."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._kept: dict[tuple[str, str], Pin] = {}
        self._lock = threading.Lock()

    def find(self, connection: str, key: str) -> Pin | None:
        with self._lock:
            return self._read().get((connection, key))

    def keep(self, pin: Pin) -> None:
        with self._lock:
            pins = {**self._read(), (pin.connection, pin.key): pin}
            self._kept = pins
            if self._path is not None:
                rows = [asdict(pins[name]) for name in sorted(pins)]
                _write(self._path, json.dumps({"version": 1, "actions": rows}, indent=2) + "\n")

    def _read(self) -> dict[tuple[str, str], Pin]:
        """Anew each time: another process may have written meanwhile.

        Raises:
            WrongUse: the file is not ours.
        """
        if self._path is None:
            return self._kept
        try:
            rows = json.loads(self._path.read_text("utf-8"))["actions"]
            pins = [Pin(**row) for row in rows]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as cause:
            raise WrongUse(
                f"{self._path} is not a valid lock file of actions; repair or delete it"
            ) from cause
        return {(pin.connection, pin.key): pin for pin in pins}


def digest(schema: Mapping[str, Any] | None) -> str:
    canonical = json.dumps(schema or {}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
