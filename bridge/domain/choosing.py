"""Which of several customers with the caller's number a call is for, and how numbers may be stored. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import phonenumbers

from bridge.domain.rules.model import Several

# A search takes 20 criteria: this many spellings of a unique and of a shared number.
_MOST_SPELLINGS = 10
_LONGEST_NUMBER = 15
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A customer that has the caller's number, or another mark of the caller.

    Args:
        last_conversation_at: when its newest conversation began; None where nobody asked, or it has none.
    """

    id: str
    name: str | None = None
    created_at: datetime | None = None
    last_conversation_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """
    Args:
        id: of the customer; None: nobody was found, or a person is to choose.
        why: for people; names nobody. Empty where there was nothing to choose.
        undecided: a person is to choose.
    """

    id: str | None = None
    why: str = ""
    undecided: bool = False


def choose(
    found: Sequence[Candidate], several: Several, *, house: str, same: str, usual: str | None = None
) -> Choice:
    """Whose call it is.

    Args:
        same: what they have in common, such as "this number".
        usual: the customer that the call was written for before; it stays theirs.
    """
    if not found:
        return Choice()
    if len(found) == 1:
        return Choice(id=found[0].id)
    if usual is not None and any(one.id == usual for one in found):
        return Choice(id=usual, why=f"{len(found)} customers have {same}; the call was written for this one")
    have = f"{len(found)} customers have {same}"
    by = f'(customer.several = "{several}")'
    if several == "house" and house:
        return Choice(id=house, why=f"{have}: written for the house customer {by}")
    if several == "newest":
        return Choice(id=max(found, key=_age).id, why=f"{have}: the newest was taken {by}")
    if several == "most_recent_conversation":
        taken = max(found, key=lambda one: (one.last_conversation_at or _LONG_AGO, _age(one)))
        return Choice(id=taken.id, why=f"{have}: the one with the most recent conversation was taken {by}")
    return Choice(why=f"{have}: choose one of them {by}", undecided=True)


def _age(one: Candidate) -> tuple[datetime, str]:
    return one.created_at or _LONG_AGO, one.id


def spellings(number: str, *, region: str | None) -> tuple[str, ...]:
    """How a number in E.164 may be stored: with and without its plus, by 00, and as written at home.

    Args:
        region: the country whose numbers are written without its code; those of others are not, as the
            digits may be another number there.
    """
    digits = _digits(number)
    found = [f"+{digits}", digits, f"00{digits}", *_at_home(number, region)]
    return tuple(dict.fromkeys(one for one in found if len(_digits(one)) <= _LONGEST_NUMBER))[
        :_MOST_SPELLINGS
    ]


def has_number(stored: Sequence[str], number: str, *, region: str | None) -> bool:
    """Whether one of the stored numbers is this one, by its digits."""
    same = {_digits(text) for text in spellings(number, region=region)}
    return any(_digits(text) in same for text in stored)


def is_number(name: str, number: str, *, region: str | None) -> bool:
    """Whether a name is nothing but the caller's number, in any spelling."""
    return not any(letter.isalpha() for letter in name) and has_number([name], number, region=region)


def _at_home(number: str, region: str | None) -> list[str]:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return []
    if region is None or region not in phonenumbers.region_codes_for_country_code(parsed.country_code or 0):
        return []
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return [_digits(national), phonenumbers.national_significant_number(parsed)]


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)
