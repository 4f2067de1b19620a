"""Waiting for a condition, and saying what it was when it does not come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, *, within_s: float = 20.0, every_s: float = 0.01) -> T:
    """The first truthy answer of `look`."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what}")
        threading.Event().wait(every_s)
