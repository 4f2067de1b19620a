"""Phone numbers: E.164 where there is one, and a name for each kind where there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import phonenumbers

from bridge.domain.outcome import Direction
from bridge.domain.phone_text import (
    LONGEST,
    has_other_letters,
    says_withheld,
    spells_withheld,
    unwrapped,
)
from bridge.domain.webhook.placeholders import means_nobody
from bridge.domain.webhook.values import read_name

# CloudTalk extensions have four digits (OpenAPI 1.7, Agent.extension); short codes and emergency
# numbers have at most six, and no subscriber number is that short.
_LONGEST_SHORT_NUMBER = 6
_LONGEST_OTHER = 64
_DIGITS = re.compile(r"\d+")
# Of a whole number that came for one: far longer than any, and short enough to be written out.
_LARGEST = 10**_LONGEST_OTHER
# Old forms of mobile numbers, which carriers and address books still have and nobody can dial from abroad:
# country code -> the national digits, and what they are by now. (Mexico until 2019, Brazil until 2016,
# Benin until 2024.)
_OLD_FORMS = {
    229: (re.compile(r"(\d{8})"), r"01\1"),
    52: (re.compile(r"(?:1|01|04[45])(\d{10})"), r"\1"),
    55: (re.compile(r"(\d\d)([6-9]\d{7})"), r"\g<1>9\2"),
    # The prefix of home and that of abroad at once; each by itself is known to the parser.
    54: (re.compile(r"(?=\d{13}$)9(\d{2,4})15(\d{6,8})"), r"9\1\2"),
}
# Argentina's mobile prefix within a town: without the town's code nobody can call it.
_TOWN_ONLY = {54: re.compile(r"15\d{8}")}


class Kind(IntEnum):
    """What a number is good for. Ordered: of two values the better known one wins."""

    WITHHELD = 0
    OTHER = 1  # not a number of the telephone network (a SIP address, a typing error)
    SHORT = 2
    INTERNAL = 3
    E164 = 4


@dataclass(frozen=True, slots=True, order=True)
class Phone:
    """One number. `text` is E.164 with its plus for `Kind.E164`, else the digits or text as they came."""

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
        return "".join(c for c in self.text if c.isdigit())[-3:]

    @property
    def country(self) -> str | None:
        """ISO 3166 code of where the number is from; None where it tells no country."""
        return _country(self.text) if self.kind is Kind.E164 else None

    @property
    def spoken(self) -> str:
        """For people: grouped as in international writing."""
        if self.kind is Kind.WITHHELD:
            return "number withheld"
        if self.kind is not Kind.E164:
            return self.text
        return _spoken(self.text)


@lru_cache(maxsize=1024)
def _spoken(text: str) -> str:
    number = phonenumbers.parse(text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


WITHHELD = Phone(Kind.WITHHELD)


def masked(text: str) -> str:
    """`+44 1632 960304` -> `…304`, `112` -> `…112`: never more than three digits."""
    return f"…{''.join(c for c in text if c.isdigit())[-3:]}" if text else ""


def read_phone(
    value: object, *, region: str | None = None, direction: Direction | None = None
) -> Phone | None:
    """A number as it came: text or integer, with or without its plus.

    Args:
        value: None means not given; an empty text is how CloudTalk tells a withheld number
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
    raw = str(value)
    if not raw.strip():
        return WITHHELD
    text = unwrapped(raw) if len(raw) <= LONGEST else None
    digits = "".join(c for c in text or "" if c.isdigit())
    if text and direction is not Direction.INTERNAL and says_withheld(text):
        return WITHHELD
    if text and (means_nobody(text) or (text.startswith("+") and spells_withheld(digits))):
        return WITHHELD
    if not text or not digits or has_other_letters(text):
        text = read_name(raw[:LONGEST]) if any(c.isprintable() for c in raw) else None
        return Phone(Kind.OTHER, text[:_LONGEST_OTHER]) if text else None
    if len(digits) <= _LONGEST_SHORT_NUMBER and not text.startswith("+"):
        if direction is not Direction.INTERNAL and (number := _whole_at_home(text, region)):
            return _e164(number)
        return Phone(Kind.INTERNAL if direction is Direction.INTERNAL else Kind.SHORT, digits)
    number = _parse(text, region)
    if number is None:
        if spells_withheld(digits):
            return WITHHELD
        return Phone(Kind.OTHER, digits[:_LONGEST_OTHER])
    return _e164(number)


def _e164(number: phonenumbers.PhoneNumber) -> Phone:
    return Phone(Kind.E164, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@lru_cache(maxsize=1024)
def _whole_at_home(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """A few digits, where the country's numbers have no more (Andorra, the Faroes)."""
    usual = phonenumbers.example_number(region) if region else None
    if not usual or len(phonenumbers.national_significant_number(usual)) > _LONGEST_SHORT_NUMBER:
        return None
    number = _candidate(text, region)
    return number if number and phonenumbers.is_valid_number(number) else None


def _parse(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    # What is too long to be a number is neither parsed nor kept: a body has room for 65,000 digits.
    return _parse_short(text, region) if len(text) <= _LONGEST_OTHER else None


# The same few lines of ours come with every call, and parsing is the dearest part of reading an event.
@lru_cache(maxsize=4096)
def _parse_short(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """The reading that is valid, else the one that is possible.

    Not `is_valid_number` alone: new ranges are in use before the library knows them.
    """
    possible = [number for number in _readings(text, region) if number is not None]
    if len(possible) < 2:
        # Whether it is valid changes nothing, and finding out takes as long as all the rest.
        return possible[0] if possible else None
    return next((n for n in possible if phonenumbers.is_valid_number(n)), possible[0])


def _readings(text: str, region: str | None) -> Iterator[phonenumbers.PhoneNumber | None]:
    """The numbers that a text may mean, the likeliest first."""
    start = re.sub(r"^\+\s*00", "+", text.lstrip("( "))
    if start.startswith(("+", "\uff0b")) or "phone-context=" in text:
        yield _candidate(start, None)
    elif start.startswith("00"):
        if not _dials_00(region):
            yield _dialled_abroad(text, region)
        yield _candidate("+" + start[2:], None)
        yield _candidate(text, region)
    elif start.startswith("0"):
        yield _candidate(text, region)
    elif text.isdigit():
        # CloudTalk writes international digits without the plus.
        yield _candidate("+" + text, None)
        yield _candidate(text, region)
    else:
        # Written for people: as at home, unless a country's code stands by itself in front.
        yield _candidate(text, region)
        first = _DIGITS.search(text)
        if first and int(first[0]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            yield _candidate("+" + start, None)


def _dials_00(region: str | None) -> bool:
    """Whether calls abroad begin with 00 there: not so in Australia (0011) and parts of Asia (001)."""
    country = phonenumbers.PhoneMetadata.metadata_for_region(region) if region else None
    return country is None or bool(re.fullmatch(country.international_prefix or "00", "00"))


def _dialled_abroad(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """The number, if it begins as calls abroad are dialled in the country."""
    try:
        number = phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    abroad = number.country_code_source == phonenumbers.CountryCodeSource.FROM_NUMBER_WITH_IDD
    return _candidate(text, region) if abroad else None


def _candidate(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """The number, if it can be called from elsewhere: not one that is whole within a town only."""
    try:
        number = _of_today(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return None
    reason = phonenumbers.is_possible_number_with_reason(number)
    return number if reason == phonenumbers.ValidationResult.IS_POSSIBLE else None


def _of_today(number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    """The number, or what its old form stands for."""
    code = number.country_code or 0
    digits = phonenumbers.national_significant_number(number)
    if code in _TOWN_ONLY and _TOWN_ONLY[code].fullmatch(digits):
        return phonenumbers.PhoneNumber()
    if code not in _OLD_FORMS or phonenumbers.is_valid_number(number):
        return number
    old, new = _OLD_FORMS[code]
    mended = old.sub(new, digits) if old.fullmatch(digits) else digits
    return phonenumbers.parse(f"+{code}{mended}") if mended != digits else number


@lru_cache(maxsize=4096)
def _country(text: str) -> str | None:
    number = phonenumbers.parse(text)
    # Countries share a code (+1, +44): of a number in nobody's plan it is the main one. "001": of no country.
    main = phonenumbers.region_code_for_country_code(number.country_code or 0)
    found = phonenumbers.region_code_for_number(number) or main
    return found if found.isalpha() and found != "ZZ" else None
