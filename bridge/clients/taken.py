"""How Kustomer says that a value which has to be unique is taken."""

from __future__ import annotations

from bridge.errors import Rejected

_WORDS = ("duplicate", "already", "exists", "unique", "taken", "in use")


def says_taken(error: Rejected) -> bool:
    """409 is an error of its own; which status it is, is not documented, so a 400 that says so counts too."""
    return error.status == 400 and any(word in error.detail.casefold() for word in _WORDS)
