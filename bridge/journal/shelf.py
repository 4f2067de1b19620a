"""The files of a journal's folder as a person sees them; what Redis refused is handed back by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bridge.journal.files import SUFFIX, came_at_ms
from bridge.journal.lines import Damaged, text_of

State = Literal["waiting", "refused", "damaged"]
_STATES: dict[str, State] = {SUFFIX: "waiting", ".refused": "refused", ".damaged": "damaged"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """One file. `events` is None where it cannot be read."""

    path: Path
    state: State
    events: int | None
    oldest_at_ms: int | None


def shelved(folder: Path) -> list[Shelved]:
    """All of them, the oldest first."""
    if not folder.is_dir():
        return []
    return [
        _look_at(path, _STATES[path.suffix])
        for path in sorted(folder.iterdir())
        if path.suffix in _STATES and SUFFIX in path.suffixes
    ]


def put_back(one: Shelved) -> Path:
    """Have a refused file taken up again by whichever process uses the folder.

    Under a name of its own, as a file may wait under the first one. A link, then the removal: a crash between
    them leaves both, which is a repeat and no loss.
    """
    stem = one.path.name.partition(".")[0]
    for number in range(1, 10_000):
        target = one.path.with_name(f"{stem}-again{number}{SUFFIX}")
        try:
            os.link(one.path, target)
        except FileExistsError:
            continue
        one.path.unlink()
        return target
    raise FileExistsError(f"{one.path.name} was returned too often")


def _look_at(path: Path, state: State) -> Shelved:
    events, oldest = 0, None
    try:
        with path.open("rb") as lines:
            for line in lines:
                if state == "damaged":
                    events += 1
                    continue
                try:
                    text = text_of(line)
                except Damaged:
                    continue
                events += 1
                oldest = came_at_ms(text) if oldest is None else oldest
    except OSError:
        return Shelved(path=path, state=state, events=None, oldest_at_ms=None)
    return Shelved(path=path, state=state, events=events, oldest_at_ms=oldest)
