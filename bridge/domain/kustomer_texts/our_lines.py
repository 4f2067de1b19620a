"""The lines of a note by template: none with text from outside can be taken for one of ours, in any language.

A line that begins with a text of several lines is marked. So is every other line with text from outside that
looks like a line of a built-in note, or like the line that names a call. What the template itself says may be
anything.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

from bridge.domain.kustomer_texts.catalogue.ids import MessageId
from bridge.domain.kustomer_texts.languages import LANGUAGES
from bridge.domain.kustomer_texts.note import LONGEST_NOTE, MARK, cut, length, number_line, section_titles
from bridge.domain.kustomer_texts.texts import Texts
from bridge.domain.template_filters import END, ONE_LINE, SEVERAL_LINES

_OUTSIDE = re.compile(f"([{ONE_LINE}{SEVERAL_LINES}])([^{END}]*){END}")
# Texts that stand inside a line, or in a title; every other one may begin a line.
_INSIDE: frozenset[MessageId] = frozenset(
    {
        "unknown_number", "number_withheld", "agent_number", "agent_unknown", "yes", "no", "when_ended",
        "when_span", "rang", "waited", "talked", "on_hold", "shortened", "and_more", "and_transferred",
        "not_answered", "times_over", "an_agent", "facts", "recording_coming", "recording_unwanted",
        "recording_empty", "recording_kept", "recording_attached", "recording_length",
        "recording_unplayable", "recording_too_large", "recording_expired", "recording_empty_there",
        "recording_never_came",
    }
)  # fmt: skip
# The same by how their ids begin; a cue card is no note.
_INSIDE_TOO = ("title_", "why_", "sentiment_", "insight_", "card_")
_WITH_A_NAME: frozenset[MessageId] = frozenset({"queue", "ai_agent_step"})
# Shorter beginnings are words of any sentence.
_SHORTEST = 4
# Signs of other alphabets that look like these letters, and signs that look like a colon.
_ALIKE = str.maketrans("асеорхуіјѕԁһԛԝкмнтвαβεικνορτυχłıøđ", "aceopxyijsdhqwkmhtbabeiknoptuxliod")
_COLONS = str.maketrans(dict.fromkeys("∶ː։׃᛬⁚꞉︰", ":"))
# From so many characters on the beginning of a line is worth keeping where the whole does not fit.
_WORTH_KEEPING = 200


def finished_note(text: str, *, call_id: int | None, texts: Texts) -> str:
    """What a template made becomes a note: lines marked, the call named, as long as Kustomer takes it.

    Args:
        text: with `ONE_LINE`, `SEVERAL_LINES` and `END` around what is from outside.
    Returns:
        Nothing where the template made nothing.
    """
    body = "\n".join(line.finished() for line in _lines_of(text)).strip("\n")
    if not body.strip():
        return ""
    lines = body.split("\n")
    # As in a built-in note, the call is named above texts of other people (`says_call`).
    titled = next((n for n, line in enumerate(lines) if line.strip() in section_titles()), len(lines))
    head, tail = lines[:titled], lines[titled:]
    named = [] if call_id is None else [number_line(call_id)]
    if named and named[0] in map(str.strip, head):
        named = []
    if named and tail:
        tail = ["", *tail]
        head = "\n".join(head).rstrip().split("\n") if head else []
    reserved = length("\n".join(named)) + 1
    kept = _fitting(head, LONGEST_NOTE - reserved, texts)
    if len(kept) == len(head) and (not kept or kept[-1] == head[-1]):
        room = LONGEST_NOTE - length("\n".join([*kept, *named])) - 1
        kept = [*kept, *named, *_fitting(tail, room, texts)]
    else:
        kept = [*kept, *named]
    return "\n".join(kept).strip()


def _fitting(lines: list[str], room: int, texts: Texts) -> list[str]:
    """As many lines as fit, and how much of the next is worth it."""
    if length("\n".join(lines)) <= room:
        return lines
    kept: list[str] = []
    end = f"… {texts.say('shortened')}"
    room -= length(end) + 1
    for line in lines:
        size = length(line) + 1
        if size > room:
            return [*kept, cut(line, room, texts)] if room > _WORTH_KEEPING else [*kept, end]
        kept.append(line)
        room -= size
    return [*kept, end]


@dataclass(slots=True)
class _Line:
    """Args: own: what the template says before the first text from outside."""

    text: str = ""
    own: str = ""
    has_outside: bool = False
    marked: bool = False

    def add(self, text: str) -> None:
        self.text += text
        if not self.has_outside:
            self.own += text

    def add_outside(self, text: str, *, marked: bool) -> None:
        if text.strip():
            self.marked = self.marked or (marked and not self.text.strip())
            self.has_outside = True
        self.text += text

    def finished(self) -> str:
        if self.marked or (self.has_outside and not _begins_ours(self.own) and looks_like_ours(self.text)):
            return f"{MARK}{self.text.strip()}".rstrip()
        return self.text.rstrip()


def _lines_of(text: str) -> Iterator[_Line]:
    line, at = _Line(), 0
    for found in _OUTSIDE.finditer(text):
        for number, part in enumerate(_split(text[at : found.start()])):
            if number:
                yield line
                line = _Line()
            line.add(part)
        parts = found[2].split("\n")
        marked = found[1] == SEVERAL_LINES or len(parts) > 1
        for number, part in enumerate(parts):
            if number:
                yield line
                line = _Line()
            line.add_outside(part, marked=marked)
        at = found.end()
    for number, part in enumerate(_split(text[at:])):
        if number:
            yield line
            line = _Line()
        line.add(part)
    yield line


def _split(text: str) -> list[str]:
    """As `splitlines`, with an empty line behind the last line break."""
    *lines, last = f"{text}\0".splitlines()
    return [*lines, last[:-1]]


def looks_like_ours(line: str) -> bool:
    """Whether a person, or a program, may take a line for one of a built-in note in some language."""
    patterns, plain = _patterns(), _skeleton(line)
    return plain.rstrip(" ") in patterns.whole or _begins(plain)


def _begins_ours(own: str) -> bool:
    return _begins(_skeleton(own))


def _begins(plain: str) -> bool:
    patterns = _patterns()
    return f"{plain} ".startswith(patterns.beginnings) or bool(patterns.counted.match(plain))


@dataclass(frozen=True, slots=True)
class _Patterns:
    whole: frozenset[str]
    beginnings: tuple[str, ...]
    counted: re.Pattern[str]


@lru_cache(maxsize=1)
def _patterns() -> _Patterns:
    whole, beginnings, counted = set(), {_skeleton(number_line(0)).rstrip("0")}, set()
    for language in LANGUAGES:
        messages = import_module(f"bridge.domain.kustomer_texts.catalogue.{language}").MESSAGES
        for message, text in messages.items():
            if message in _INSIDE or message.startswith(_INSIDE_TOO):
                continue
            fixed, brace, rest = text.partition("{")
            if not brace:
                whole.add(_skeleton(text))
            if message in _WITH_A_NAME:
                beginnings.add(f"{_skeleton(text)} ")
            elif ":" in fixed:
                beginnings.add(_skeleton(f"{fixed.partition(':')[0]}:"))
            elif brace and len(_skeleton(fixed)) >= _SHORTEST:
                beginnings.add(f"{_skeleton(fixed)} ")
            elif rest.startswith("count}"):
                counted.add(re.escape(_skeleton(rest.removeprefix("count}").partition("{")[0])))
    return _Patterns(
        whole=frozenset(whole),
        beginnings=tuple(sorted(beginnings)),
        counted=re.compile(rf"\d+ ?(?:{'|'.join(sorted(counted))})"),
    )


def _skeleton(line: str) -> str:
    """How a line looks at a glance: small letters without accents, digits, colons and single blanks."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", line).casefold())
    seen = "".join(
        c for c in decomposed if unicodedata.category(c) not in ("Mn", "Me", "Cf", "Cc", "Co", "Cn")
    )
    kept = "".join(c for c in seen.translate(_ALIKE).translate(_COLONS) if c.isalnum() or c in ": ")
    return " ".join(kept.split()).replace(" :", ":").lstrip(": ")
