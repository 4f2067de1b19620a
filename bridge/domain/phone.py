"""Phone numbers: E.164 where there is one, and a name for each kind where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import phonenumbers

from bridge.domain.outcome import Direction

# CloudTalk extensions have four digits (OpenAPI 1.7, Agent.extension); short codes and emergency
# numbers have at most six, and no subscriber number is that short.
_LONGEST_SHORT_NUMBER = 6
_LONGEST_OTHER = 64
# Of a whole number that came for one: far longer than any, and short enough to be written out.
_LARGEST = 10**_LONGEST_OTHER
_WITHHELD_WORDS = frozenset(
    {
        "anonymous",
        "withheld",
        "private",
        "restricted",
        "unavailable",
        "unknown",
        "blocked",
        "hidden",
        "no number",
    }
)


class Kind(IntEnum):
    """What a number is good for. Ordered: of two told values the better known one wins."""

    WITHHELD = 0
    OTHER = 1  # not a number of the telephone network (a SIP address, a typing error)
    SHORT = 2
    INTERNAL = 3
    E164 = 4


@dataclass(frozen=True, slots=True, order=True)
class Phone:
    """One number. `text` is E.164 with its plus for `Kind.E164`, else the digits or text as told."""

    kind: Kind
    text: str = ""

    def __repr__(self) -> str:
        return f"Phone({self.kind.name}, {self.masked})"

    @property
    def masked(self) -> str:
        """Fit for logs and lists: at most the last three digits."""
        return masked(self.text)

    @property
    def tail(self) -> str:
        """The last three digits, for telling calls apart in a list."""
        digits = "".join(c for c in self.text if c.isdigit())
        return digits[-3:] if len(digits) > 3 else ""

    @property
    def spoken(self) -> str:
        """For people: grouped as in international writing."""
        if self.kind is Kind.WITHHELD:
            return "number withheld"
        if self.kind is not Kind.E164:
            return self.text
        number = phonenumbers.parse(self.text)
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


WITHHELD = Phone(Kind.WITHHELD)


def masked(text: str) -> str:
    """`+44 1632 960304` -> `…304`; nothing at all of a number too short to hide."""
    digits = "".join(c for c in text if c.isdigit())
    return f"…{digits[-3:]}" if len(digits) > 3 else "…" if text else ""


def read_phone(
    value: object, *, region: str | None = None, direction: Direction | None = None
) -> Phone | None:
    """A number as it came: text or integer, with or without its plus.

    Args:
        value: None means not told; an empty text is how CloudTalk tells a withheld number
            (reference: Workflow Automation oddities).
        region: country for numbers written without their code.
        direction: an internal call's numbers are extensions.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float):
        if not value.is_integer():
            return Phone(Kind.OTHER, str(value))
        value = int(value)
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return Phone(Kind.OTHER, "")
    text = str(value).strip()
    if not text or text.casefold() in _WITHHELD_WORDS:
        return WITHHELD
    text = text.removeprefix("tel:").removeprefix("whatsapp:")
    digits = "".join(c for c in text if c.isdigit())
    if not digits or "@" in text or sum(c.isalpha() for c in text) > 0:
        text = "".join(c if c.isprintable() else " " for c in text[:_LONGEST_OTHER]).strip()
        return Phone(Kind.OTHER, text) if text else None
    if len(digits) <= _LONGEST_SHORT_NUMBER and not text.startswith("+"):
        return Phone(Kind.INTERNAL if direction is Direction.INTERNAL else Kind.SHORT, digits)
    number = _parse(text, digits, region)
    if number is None:
        return Phone(Kind.OTHER, digits[:_LONGEST_OTHER])
    return Phone(Kind.E164, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _parse(text: str, digits: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    # What is too long to be a number is neither parsed nor kept: a body has room for 65,000 digits.
    return _parse_short(text, digits, region) if len(text) <= _LONGEST_OTHER else None


# The same few lines of ours come with every call, and parsing is the dearest part of reading an event.
@lru_cache(maxsize=4096)
def _parse_short(text: str, digits: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """The reading that is valid, else the one that is possible; international before national.

    Not `is_valid_number` alone: new ranges are in use before the library knows them.
    """
    if text.startswith("+"):
        candidates = [_candidate("+" + digits, None)]
    elif digits.startswith("00"):
        candidates = [_candidate("+" + digits[2:], None), _candidate(digits, region)]
    elif digits.startswith("0"):
        candidates = [_candidate(digits, region)]
    else:
        # CloudTalk writes international digits without the plus.
        candidates = [_candidate("+" + digits, None), _candidate(digits, region)]
    possible = [number for number in candidates if number is not None]
    return next((n for n in possible if phonenumbers.is_valid_number(n)), possible[0] if possible else None)


def _candidate(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    if region is None and not text.startswith("+"):
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None
