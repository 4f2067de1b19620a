"""The Lua scripts beside this file, as redis-py scripts (EVALSHA, loaded anew after a Redis restart)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

# These stand alone; all others get prelude.lua in front.
_ALONE = {"hold", "take", "reply", "unlock"}
NAMES = (
    "learn", "schedule", "dispatch", "claim", "renew", "complete", "reschedule", "park", "replay", "keep",
    "queue", "lock", "cancel", "forget", "drop", *sorted(_ALONE),
)  # fmt: skip


@cache
def source(name: str) -> str:
    """The whole text of a script."""
    folder = files("bridge.ledger") / "lua"
    text = (folder / f"{name}.lua").read_text("utf-8")
    return text if name in _ALONE else (folder / "prelude.lua").read_text("utf-8") + text
