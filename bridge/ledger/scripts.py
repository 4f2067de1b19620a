"""The Lua scripts in `lua/`, as redis-py scripts (EVALSHA, loaded anew after a Redis restart).

Each gets what it uses of `lua/front/` in front of its own text, and nothing else: Redis runs that text each
time, and each function in it takes time to make. Names that Python knows (`FIELD.ID`) become their values.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from textwrap import indent

from bridge.domain.synthetic import PREFIX
from bridge.ledger.calls import record_fields
from bridge.ledger.keys import TAG
from bridge.ledger.queue.kinds import OF_CALLS

OF_A_BUDGET = {"take", "reply", "release", "forecast"}
NAMES = (
    "learn", "schedule", "dispatch", "claim", "renew", "complete", "reschedule", "park", "replay", "keep",
    "queue", "by_kind", "lock", "cancel", "forget", "drop", "give_up", "pause", "resume", "assign",
    "caller", "hand_over", "learn_message", "forget_message", "hold_contact", "tell_contact",
    "forget_contact", "hold", "unlock", "hand_back", "overview",
    *sorted(OF_A_BUDGET),
)  # fmt: skip


# Registered by the modules that use them.
APART = ("beat", "keep_summaries", "append_calls", "update_calls", "pack", "reseal")
# Each runs another script and undoes it (rehearsal.py). They are no part of the ledger's own work.
_REHEARSED = {"rehearse_learn": "learn", "rehearse_hold": "hold"}

# In this order: a definition uses those above it.
_FRONT = ("jobs", "noting", "received", "erasing")
_DEFINED = re.compile(r"^local (?:function )?(\w+)", re.MULTILINE)
_COMMENT = re.compile(r"--.*")
# A name for a text or a number, and the comment that it may have above it.
_CONSTANT = re.compile(r"^local ([A-Z_]+) = ('[^']*'|\d+)\n", re.MULTILINE)
_INCLUDE = re.compile(r"^( *)-- include (.+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One function of `lua/front/`, or the constants of one paragraph.

    Args:
        text: with the comment above it.
        needs: names that it uses of other definitions.
    """

    text: str
    needs: Collection[str]


@cache
def source(name: str) -> str:
    """The whole text of a script."""
    text = _read(name)
    if name in _REHEARSED:
        text = f"local function run()\n{_read(_REHEARSED[name])}\nend\n{text}"
    if name in OF_A_BUDGET:
        return _read("planner") + text
    return _without_constants(_with_values(_with_definitions(text)))


def _with_definitions(text: str) -> str:
    """A script with the definitions that it uses in front.

    What only an unusual case needs can stand there instead: `-- include NAME ...` on a line of its own stands
    for these definitions, and for those they need that are not in front.
    """
    known = definitions()
    later = {name for _, names in _INCLUDE.findall(text) for name in names.split()}
    front = _needed(_words(text) - later, known)

    def included(found: re.Match[str]) -> str:
        return indent(_joined(_needed(set(found[2].split()), known) - front, known), found[1])

    return _joined(front, known) + _INCLUDE.sub(included, text)


def _needed(names: set[str], known: Mapping[str, Definition]) -> set[str]:
    """These and all that they need in turn; what is not in `known` is the script's own."""
    found: set[str] = set()
    left = names & known.keys()
    while left:
        name = left.pop()
        found.add(name)
        left |= set(known[name].needs) - found
    return found


def _joined(names: set[str], known: Mapping[str, Definition]) -> str:
    return "".join(dict.fromkeys(one.text for name, one in known.items() if name in names))


@cache
def definitions() -> Mapping[str, Definition]:
    """Those of `lua/front/` by name, in the order in which they can follow each other."""
    found: dict[str, Definition] = {}
    for file in _FRONT:
        # Blank lines part them. The first paragraph speaks of the file.
        about, *paragraphs = _read(file).split("\n\n")
        if _words(about):
            raise ValueError(f"front/{file}.lua: a blank line is missing after what it is about")
        for paragraph in paragraphs:
            names = _DEFINED.findall(paragraph)
            if not names or found.keys() & set(names):
                raise ValueError(f"front/{file}.lua does not define something new here:\n{paragraph}")
            one = Definition(text=paragraph.strip() + "\n", needs=_words(paragraph) & found.keys())
            found.update(dict.fromkeys(names, one))
    return found


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", _COMMENT.sub("", text)))


def _with_values(text: str) -> str:
    values = _values()
    names = "|".join(re.escape(name) for name in sorted(values, key=len, reverse=True))
    # Lua would join texts each time.
    text = text.replace("ROOT .. '", f"'{TAG}:")
    text = re.sub(rf"\b(?:{names})\b", lambda found: values[found[0]], text)
    if unknown := re.search(r"\b(?:FIELD|FAMILY|STATE)\.\w+", text):
        raise ValueError(f"no such name: {unknown[0]}")
    return text


def _without_constants(text: str) -> str:
    """With each constant where it is used: a function that uses a variable of others takes longer to make."""
    values = dict(_CONSTANT.findall(text))
    if not values:
        return text
    names = re.compile(rf"\b(?:{'|'.join(values)})\b")
    return names.sub(lambda found: values[found[0]], _CONSTANT.sub("", text))


@cache
def _values() -> Mapping[str, str]:
    """Names that Python knows and what stands for them in Lua."""
    return {
        "ROOT": f"'{TAG}:'",
        "SYNTHETIC": f"'{PREFIX}'",
        "KINDS_OF_CALLS": f"({{{', '.join(map(repr, OF_CALLS))}}})",
        **record_fields.in_lua(),
    }


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
