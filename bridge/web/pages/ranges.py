"""Which bytes of a file a request asks for (RFC 9110, 13 and 14). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ONE = re.compile(r"bytes\s*=\s*([0-9]*)-([0-9]*)\s*", re.ASCII | re.IGNORECASE)
# More digits than any size has; Python would not read thousands of them.
_DIGITS = 18


class Unsatisfiable(Exception):
    """The range lies wholly outside."""


def wanted_range(headers: Mapping[str, str], *, size: int, etag: str) -> tuple[int, int] | None:
    """The range a GET asks for, its end not included; None for all of the file.

    A range that is none, or several at once, counts as none: a server may answer those in full.

    Raises:
        Unsatisfiable: 416.
    """
    condition = headers.get("if-range")
    # Only a strong match says that the bytes are the same; a date never matches, as we tell none.
    if "range" not in headers or (condition is not None and condition.strip() != etag):
        return None
    found = _ONE.fullmatch(headers["range"].strip())
    if found is None or not (found[1] or found[2]):
        return None
    first, last = (_number(text) for text in found.groups())
    if first is None:
        # The last so many bytes.
        if not last or not size:
            raise Unsatisfiable
        return max(size - last, 0), size
    if last is not None and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return first, size if last is None else min(last + 1, size)


def _number(text: str) -> int | None:
    digits = text.lstrip("0") if text else ""
    if not text:
        return None
    return int(digits[:_DIGITS] or "0") if len(digits) <= _DIGITS else 10**_DIGITS


def is_known(headers: Mapping[str, str], *, etag: str) -> bool:
    """Whether the asker has these bytes already, and 304 says enough."""
    etags = headers.get("if-none-match", "")
    return any(part.strip().removeprefix("W/") in (etag, "*") for part in etags.split(",") if part.strip())
