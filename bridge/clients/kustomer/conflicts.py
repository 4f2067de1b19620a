"""How Kustomer says that a value which has to be unique is taken."""

from __future__ import annotations

import re

from bridge.errors import Rejected

# As places of a fault name them; documented as unique in an org.
_UNIQUE_IN_THE_ORG = frozenset(
    {
        "id",
        "externalid",
        "externalids",
        "phone",
        "phones",
        "email",
        "emails",
        "whatsapps",
        "socials",
        "username",
    }
)
_NOT_UNIQUE = frozenset({"tag", "tags", "assignedusers", "assignedteams", "attachments", "usermentions"})
_WORDS = ("duplicate", "already", "exists", "unique", "taken", "in use")


def says_taken(error: Rejected) -> bool:
    """409 is an error of its own; which status it is, is not documented, so a 400 that says so counts too."""
    if error.status != 400 or not any(word in error.detail.casefold() for word in _WORDS):
        return False
    # "Tags must be unique" speaks of one list, not of what exists.
    texts = error.places or (error.detail,)
    named = {word for text in texts for word in re.findall(r"[a-z]+", text.casefold())}
    return bool(named & _UNIQUE_IN_THE_ORG) or not (error.places or named & _NOT_UNIQUE)
