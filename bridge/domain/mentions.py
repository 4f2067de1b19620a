"""Finds a person's number, and a call's ids, in any text that speaks of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import phonenumbers

from bridge.domain.phone import Kind, Phone

# What people and programs put between the digits of a number, also escaped in JSON or an address.
_BETWEEN = r"(?:[\s().\-/\u00a0\u2010-\u2015\u202f]|\\u00a0|%20|\+){0,3}"


class Mentions:
    """A person's numbers in all their spellings, and ids as they are.

    Args:
        ids: call ids and uuids, as texts.
    """

    def __init__(self, *, numbers: Iterable[Phone] = (), ids: Iterable[str] = ()) -> None:
        patterns = [_spellings(number) for number in numbers]
        patterns += [rf"(?<![0-9A-Za-z]){re.escape(one)}(?![0-9A-Za-z])" for one in ids if one]
        used = [pattern for pattern in patterns if pattern]
        self._any = re.compile("|".join(used), re.IGNORECASE) if used else None

    def are_in(self, text: str) -> bool:
        return self._any is not None and self._any.search(text) is not None


def _spellings(phone: Phone) -> str:
    """With and without the country's code, its zero, and anything between the digits."""
    if phone.kind is Kind.WITHHELD or not phone.text:
        return ""
    if phone.kind is not Kind.E164:
        return rf"(?<![0-9A-Za-z]){re.escape(phone.text)}(?![0-9A-Za-z])"
    number = phonenumbers.parse(phone.text)
    own = _BETWEEN.join(phonenumbers.national_significant_number(number))
    code = _BETWEEN.join(str(number.country_code))
    # A zero before it is the one of a call at home, or the 00 of one abroad.
    return rf"(?<![0-9])(?:(?:00{_BETWEEN})?{code}{_BETWEEN})?(?:0{_BETWEEN})?{own}(?![0-9])"
