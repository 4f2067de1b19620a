"""Tags as Kustomer takes them: other alphabets in its own letters, or left out and said so. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from anyascii import anyascii

from bridge.domain.webhook.values import without_markup

# Kustomer (documented): 1 to 64 characters, no colon, no #; blanks after the first.
_TAKEN = re.compile(r"[0-9a-zA-ZÀ-ÿ _/<>.-]")
LONGEST_TAG = 64
# Of a conversation, a customer or a company (documented).
MOST_TAGS = 20


def tags_of_people(tags: Iterable[str]) -> tuple[list[str], list[str]]:
    """Tags from outside.

    Returns:
        What to write, and a sentence for each that is not written, or not as a whole.
    """
    kept, said = [], []
    for tag in tags:
        name = in_kustomers_letters(tag)
        if not name:
            said.append(f"tag left out, Kustomer accepts none of its characters: {tag}")
            continue
        if len(name) > LONGEST_TAG:
            said.append(f"tag shortened to the {LONGEST_TAG} characters that Kustomer accepts: {tag}")
        kept.append(name[:LONGEST_TAG].strip())
    return kept, said


def tags_that_fit(tags: Iterable[str]) -> list[str]:
    """The operator's tags in Kustomer's letters, each once, as many as it takes."""
    names = (in_kustomers_letters(tag)[:LONGEST_TAG].strip() for tag in tags)
    return list(dict.fromkeys(name for name in names if name))[:MOST_TAGS]


def in_kustomers_letters(tag: str) -> str:
    """`Срочно` -> `Srochno`; signs that Kustomer does not take separate words."""
    composed = unicodedata.normalize("NFC", tag)
    letters = "".join(c if _TAKEN.match(c) else anyascii(c) for c in composed)
    plain = "".join(c if _TAKEN.match(c) else " " for c in letters)
    # A sign that only looks like `<` has become one.
    return " ".join(without_markup(plain, " ").split())
