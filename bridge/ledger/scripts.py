"""The Lua scripts beside this file, as redis-py scripts (EVALSHA, loaded anew after a Redis restart)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

# These stand alone; those of a budget get planner.lua in front, all others prelude.lua.
_ALONE = {"hold", "unlock"}
OF_A_BUDGET = {"take", "reply", "release", "forecast"}
NAMES = (
    "learn", "schedule", "dispatch", "claim", "renew", "complete", "reschedule", "park", "replay", "keep",
    "queue", "lock", "cancel", "forget", "drop", "pause", "resume", *sorted(_ALONE), *sorted(OF_A_BUDGET),
)  # fmt: skip


@cache
def source(name: str) -> str:
    """The whole text of a script."""
    folder = files("bridge.ledger") / "lua"
    text = (folder / f"{name}.lua").read_text("utf-8")
    if name in _ALONE:
        return text
    before = "planner" if name in OF_A_BUDGET else "prelude"
    return (folder / f"{before}.lua").read_text("utf-8") + text
