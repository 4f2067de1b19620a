"""The languages of notes."""

from __future__ import annotations

from typing import Literal, get_args

# ISO 639-1. A language is a file of the catalogue.
Language = Literal["en", "de", "fr", "es", "pt", "it", "nl", "pl", "cs"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
