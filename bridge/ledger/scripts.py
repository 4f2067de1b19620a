"""The Lua scripts in `lua/`, as redis-py scripts (EVALSHA, loaded anew after a Redis restart)."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from bridge.domain.synthetic import PREFIX
from bridge.ledger.calls import record_fields
from bridge.ledger.queue.kinds import OF_CALLS

# These stand alone; those of a budget get planner.lua in front, all others prelude.lua.
_ALONE = {"hold", "unlock"}
OF_A_BUDGET = {"take", "reply", "release", "forecast"}
NAMES = (
    "learn", "schedule", "dispatch", "claim", "renew", "complete", "reschedule", "park", "replay", "keep",
    "queue", "by_kind", "lock", "cancel", "forget", "drop", "give_up", "pause", "resume", "assign",
    "caller", "hand_over", "learn_message", "forget_message", "hold_contact", "tell_contact",
    "forget_contact",
    *sorted(_ALONE), *sorted(OF_A_BUDGET),
)  # fmt: skip


# Registered by the modules that use them; they stand alone, too.
APART = ("beat", "keep_summaries", "append_calls", "update_calls")
# Each runs another script and undoes it (rehearsal.py). They are no part of the ledger's own work.
_REHEARSED = {"rehearse_learn": "learn", "rehearse_hold": "hold"}


@cache
def source(name: str) -> str:
    """The whole text of a script."""
    text = _read(name)
    if name in _REHEARSED:
        tried = _REHEARSED[name]
        own = _read(tried)
        return f"{_front(tried)}local function run()\n{own}\nend\n{text}"
    return _front(name) + text


def _front(name: str) -> str:
    if name == "hold":
        return _read("received")
    if name in _ALONE or name in APART:
        return ""
    if name in OF_A_BUDGET:
        return _read("planner")
    kinds = ", ".join(f"'{kind}'" for kind in OF_CALLS)
    handed = f"local KINDS_OF_CALLS = {{{kinds}}}\nlocal SYNTHETIC = '{PREFIX}'\n" + record_fields.lua()
    taken = _read("received") if name in ("learn", "learn_message", "hold_contact") else ""
    return handed + _read("prelude") + taken


def _read(name: str) -> str:
    return _files()[f"{name}.lua"].read_text("utf-8")


@cache
def _files() -> dict[str, Traversable]:
    """By file name; the folders only sort them."""
    lua = files("bridge.ledger") / "lua"
    folders = [lua, *(one for one in lua.iterdir() if one.is_dir())]
    return {one.name: one for folder in folders for one in folder.iterdir() if one.is_file()}


@cache
def sha(name: str) -> str:
    """What EVALSHA knows a loaded script by."""
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()
