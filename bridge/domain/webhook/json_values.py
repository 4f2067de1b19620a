"""JSON from outside, read so that it can be kept in Redis, written to a service, and read back. Pure.

What cannot is replaced where it stands, as a call is worth more than half a character of a tag: a lone
surrogate (a text cut in the middle of an emoji) and bytes that are no UTF-8 become U+FFFD; NaN, Infinity,
numbers of more digits than anybody means and what is nested deeper than anybody nests become null.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

_DEEPEST = 64
_MOST_DIGITS = 40
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(raw: bytes) -> Any:
    """A service's answer.

    Raises:
        ValueError, RecursionError: it is not JSON, or nested so deep that it cannot be read at all.
    """
    text = raw.decode(json.detect_encoding(raw), "replace")
    value = _DECODER.decode(text)
    # Most answers have nothing to mend: no half of a pair can be in them, and no deep nesting.
    is_plain = text.count("{") + text.count("[") <= _DEEPEST and not _ESCAPED_SURROGATE.search(text)
    return value if is_plain else mended(value)


def mended(value: Any, *, deepest: int = _DEEPEST) -> Any:
    """The same JSON value without what cannot be kept."""
    if isinstance(value, str):
        return value if value.isascii() else _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | dict) and not deepest:
        return None
    if isinstance(value, list):
        return [mended(item, deepest=deepest - 1) for item in value]
    if isinstance(value, dict):
        return {mended(name): mended(item, deepest=deepest - 1) for name, item in value.items()}
    return value


def _whole(text: str) -> int | None:
    return int(text) if len(text) <= _MOST_DIGITS else None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_finite, parse_constant=lambda _: None)
