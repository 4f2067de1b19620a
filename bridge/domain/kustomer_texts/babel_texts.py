"""Dates, lengths and lists of other languages than English, by Babel (Unicode's locale data)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.units import format_unit

from bridge.domain.kustomer_texts.catalogue.ids import MessageId
from bridge.domain.kustomer_texts.languages import Language
from bridge.domain.kustomer_texts.texts import Texts


class BabelTexts(Texts):
    def __init__(self, language: Language, messages: Mapping[MessageId, str]) -> None:
        super().__init__(language, messages)
        self._locale = Locale.parse(language)

    def span(self, seconds: int) -> str:
        hours, rest = divmod(seconds, 3600)
        minutes, rest = divmod(rest, 60)
        units = (("hour", hours), ("minute", minutes), ("second", rest))
        return " ".join(self._unit(count, unit) for unit, count in units if count) or self._unit(0, "second")

    def sound_length(self, seconds: float) -> str:
        if seconds < 0.95:
            return self._unit(round(max(seconds, 0.1), 1), "second")
        return self.span(round(seconds))

    def weekday(self, local: datetime) -> str:
        # As in `day`: the skeleton "E" alone is a German "Mo" without its dot.
        return _plain(format_date(local, "EEE", locale=self._locale))

    def day(self, local: datetime) -> str:
        return _plain(format_skeleton("yMMMEd", local, locale=self._locale))

    def listed(self, items: Sequence[str]) -> str:
        # Braces in a name must not be taken for Babel's.
        joined = format_list([f"{{{number}}}" for number in range(len(items))], locale=self._locale)
        return _plain(joined).format(*items) if items else ""

    def _unit(self, count: float, unit: str) -> str:
        return _plain(format_unit(count, f"duration-{unit}", length="short", locale=self._locale))


def _plain(text: str) -> str:
    """With blanks that every search finds."""
    return " ".join(text.split())
