"""What `q` of a search for calls may mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.ledger.calls.summary import Summary
from bridge.ledger.search.entries import digits_of, name_of

_NUMBER = re.compile(r"[+\d\s()./-]*\d[+\d\s()./-]*", re.ASCII)
_HEX = re.compile(r"[0-9a-f-]+")
_FEWEST_DIGITS = 3
# Of a uuid: more where they may be digits of a number as well.
_FEWEST_HEX, _FEWEST_HEX_DIGITS = 4, 8
# An id of a conversation that looks like a number is longer than any.
_LONGEST_NUMBER = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Any of these; if all are empty, nothing but a whole id."""

    text: str = ""
    # Anywhere in the customer's number.
    digits: tuple[str, ...] = ()
    # Part of the customer's or agent's name, or of the reason.
    words: str = ""
    uuid_prefix: str = ""
    conversation_id: str = ""

    @classmethod
    def read(cls, q: str) -> Query:
        text = name_of(q)
        is_number = bool(_NUMBER.fullmatch(text))
        fewest = _FEWEST_HEX_DIGITS if is_number else _FEWEST_HEX
        is_hex = bool(_HEX.fullmatch(text)) and len(text.replace("-", "")) >= fewest
        return cls(
            text=text,
            digits=_digits(text) if is_number else (),
            words="" if is_number else text,
            uuid_prefix=text if is_hex else "",
            conversation_id="" if is_number and len(text) <= _LONGEST_NUMBER else text,
        )

    @property
    def finds_nothing(self) -> bool:
        return bool(self.text) and not (self.digits or self.words or self.uuid_prefix or self.conversation_id)

    def means(self, entry: Summary, *, conversation_id: str | None, reason: str | None) -> bool:
        """Whether a call is meant."""
        if not self.text or self.text == str(entry.call_id):
            return True
        if self.conversation_id and self.conversation_id == (conversation_id or "").casefold():
            return True
        if self.uuid_prefix and (entry.uuid or "").startswith(self.uuid_prefix):
            return True
        said = (entry.customer_name, entry.agent_name, reason)
        if self.words and any(self.words in name_of(text) for text in said):
            return True
        number = digits_of(entry.number)
        return any(digits in number for digits in self.digits)


def _digits(text: str) -> tuple[str, ...]:
    """What to look for in numbers: the digits, also without the 0 that people dial at home."""
    digits = digits_of(text)
    at_home = digits.lstrip("0") if digits.startswith("0") else ""
    return (
        *([digits] if len(digits) >= _FEWEST_DIGITS else []),
        *([at_home] if len(at_home) > _FEWEST_DIGITS else []),
    )
