"""The filters of templates, and the clock that all of them look at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bridge.domain.webhook.values import for_embedding

LONGEST_TEXT = 65_536  # bytes of UTF-8
LONGEST_S = 0.5
TOO_SLOW = ("the template takes longer than 0.5 s", "shorten the template")
TOO_LONG = ("the text is longer than 64 KiB", "shorten the template")


class TemplateProblem(ValueError):
    """What is wrong with a template, and how to put it right.

    Args:
        line: of the template, from 1.
        word: what stands in that line and is wrong, where one word is.
    """

    def __init__(self, what: str, remedy: str, *, line: int = 1, word: str = "") -> None:
        super().__init__(f"{what}; {remedy}")
        self.what, self.remedy, self.line, self.word = what, remedy, line, word


class _Clock(threading.local):
    until = float("inf")


CLOCK = _Clock()


def in_time() -> None:
    if time.monotonic() > CLOCK.until:
        raise TemplateProblem(*TOO_SLOW)


def bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise TemplateProblem("a text in the template is longer than 64 KiB", "shorten the template")
    return text


class TimedList(list[Any]):
    """What a loop goes through: it ends in time even where its body writes nothing."""

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            in_time()
            yield item


def concat(*values: object) -> str:
    """The operator `~`."""
    texts = [str(value) for value in values]
    if sum(map(len, texts)) > LONGEST_TEXT:
        bounded("x" * (LONGEST_TEXT + 1))
    return "".join(texts)


def _join(values: object, separator: str = "") -> str:
    if isinstance(values, str):
        raise TypeError("join takes a list, such as tags")
    if not isinstance(values, Sequence):
        return ""
    separator = str(separator)
    bounded(separator)
    return bounded(separator.join(str(value) for value in values))


def _replace(text: object, old: str, new: str) -> str:
    text, old, new = str(text), str(old), str(new)
    if not old:
        return text
    if len(text) + text.count(old) * len(new) > 2 * LONGEST_TEXT:
        raise TemplateProblem("a text in the template is longer than 64 KiB", "shorten the template")
    return bounded(text.replace(old, new))


def _truncate(text: object, longest: int = 255, end: str = "…") -> str:
    text = str(text)
    return text if len(text) <= longest else text[: max(0, int(longest) - len(end))].rstrip() + end


def _duration(seconds: object) -> str:
    minutes, rest = divmod(int(str(seconds) or 0), 60)
    return f"{minutes}:{rest:02}"


def listed(values: object) -> list[Any]:
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []


FILTERS: Mapping[str, Callable[..., Any]] = {
    "upper": lambda text: bounded(str(text).upper()),
    "lower": lambda text: bounded(str(text).lower()),
    "title": lambda text: bounded(str(text).title()),
    "capitalize": lambda text: bounded(str(text).capitalize()),
    "trim": lambda text: str(text).strip(),
    "replace": _replace,
    "truncate": _truncate,
    "default": lambda value, other="", boolean=True: value if value or value == 0 else other,
    "length": lambda value: len(value) if isinstance(value, str | list) else 0,
    "int": lambda value: int(value) if str(value).lstrip("-").isdigit() and len(str(value)) < 16 else 0,
    "duration": _duration,
    "join": _join,
    "first": lambda values: values[0] if values else "",
    "last": lambda values: values[-1] if values else "",
    "sort": lambda values: sorted(listed(values)),
    "unique": lambda values: list(dict.fromkeys(listed(values))),
    "reverse": lambda values: listed(values)[::-1],
}


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any, **options: Any) -> Any:
        in_time()
        return function(*values, **options)

    return call


# Around text from outside, which itself holds none of them: of one line, or of several.
ONE_LINE, SEVERAL_LINES, END = "\x02", "\x03", "\x04"
NO_SIGNS = str.maketrans(dict.fromkeys(ONE_LINE + SEVERAL_LINES + END))


def from_outside(sign: str) -> Callable[[Any], str]:
    def outside(value: Any) -> str:
        text = bounded("" if value is None else str(value))
        text = for_embedding(text.translate(NO_SIGNS))
        return f"{sign}{text}{END}" if sign else text

    return outside
