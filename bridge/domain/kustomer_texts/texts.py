"""The fixed texts of notes, titles and fields in one language, and how it writes dates, lengths and lists.

    texts = texts_in(rules.language)
    texts.say("agent", agent=name)          # "Agent: Bo Sample"

Every fixed text that a person reads in Kustomer comes from the catalogue. Braces in a value stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from importlib import import_module

from bridge.domain.kustomer_texts.catalogue.en import MESSAGES as _ENGLISH
from bridge.domain.kustomer_texts.catalogue.ids import MessageId
from bridge.domain.kustomer_texts.languages import Language
from bridge.domain.kustomer_texts.spans import span

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Texts:
    """English, without any library."""

    def __init__(self, language: Language, messages: Mapping[MessageId, str]) -> None:
        self.language: Language = language
        self.messages = messages

    def say(self, message: MessageId, **values: object) -> str:
        """A text of the catalogue with its values; one that ends in an empty value ends before the blank."""
        return self.messages[message].format(**values).rstrip()

    def span(self, seconds: int) -> str:
        """`97` -> `1 min 37 s`."""
        return span(seconds)

    def sound_length(self, seconds: float) -> str:
        """As `span`, and tenths of what is shorter than a second: no sound that there is lasts 0 s."""
        return f"{max(seconds, 0.1):.1f} s" if seconds < 0.95 else self.span(round(seconds))

    def weekday(self, local: datetime) -> str:
        """`Mon`."""
        return _DAYS[local.weekday()]

    def day(self, local: datetime) -> str:
        """`Mon 2 Mar 2026`."""
        return f"{self.weekday(local)} {local.day} {_MONTHS[local.month - 1]} {local.year}"

    def listed(self, items: Sequence[str]) -> str:
        """`Bo, Cy, Di`."""
        return ", ".join(items)


ENGLISH = Texts("en", _ENGLISH)


@lru_cache(maxsize=16)
def texts_in(language: Language) -> Texts:
    """The texts of a language. All but English import Babel (0.13 s, 8 MB, once a process)."""
    if language == "en":
        return ENGLISH
    from bridge.domain.kustomer_texts.babel_texts import BabelTexts

    catalogue = import_module(f"bridge.domain.kustomer_texts.catalogue.{language}")
    return BabelTexts(language, catalogue.MESSAGES)


def in_all_languages(message: MessageId) -> frozenset[str]:
    """A text without values, as it is in each language."""
    from bridge.domain.kustomer_texts.languages import LANGUAGES

    names = (f"bridge.domain.kustomer_texts.catalogue.{language}" for language in LANGUAGES)
    return frozenset(import_module(name).MESSAGES[message] for name in names)
