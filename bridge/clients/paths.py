"""Ids in the paths of requests. One that a service or a person gave must not lead to another place there."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

import httpx2

from bridge.errors import Rejected

# What a service's ids are made of: 24 hex digits at Kustomer, uuids and numbers elsewhere.
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_LONGEST_SEGMENT = 256


# Most requests go to a few addresses; to take one apart costs a tenth of a request.
parsed = lru_cache(maxsize=256)(httpx2.URL)


def is_id(value: object) -> bool:
    """Whether an answer's id can be one."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def id_part(value: str) -> str:
    """An id as one segment of a path.

    Raises:
        Rejected: it is no id, such as `../users` or one with a slash; nothing was sent.
    """
    if not is_id(value):
        raise Rejected("An id from a service contains invalid characters; nothing was sent")
    return value


def segment(text: str) -> str:
    """Any other text as one segment of a path, percent-encoded.

    Raises:
        Rejected: `.` and `..` lead to another path, however they are encoded; nothing was sent.
    """
    if text in ("", ".", "..") or len(text) > _LONGEST_SEGMENT:
        raise Rejected(f"{text[:20]!r} cannot be part of a URL; nothing was sent")
    return quote(text, safe="")
