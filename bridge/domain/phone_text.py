"""Numbers as phones, exchanges and programs wrap them: URIs, extensions, pauses, escapes, floats.

What is left is for the parser of `phonenumbers`, which knows how each country writes its numbers.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from urllib.parse import unquote

from bridge.domain.values import unescaped

LONGEST = 256
_SCHEME = re.compile(r"^(?:tel|sips?|callto|whatsapp|phone|fax|sms|smsto|h323)\s*:\s*(?://)?", re.IGNORECASE)
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
# `"Ada Example" <sip:+15550102014@sbc.example.com>;tag=1`
_ADDRESS = re.compile(r"<([^<>]+)>[^<>]*$")
# Parameters of a tel URI that the parser reads; others (`;npdi`, `;rn=…`, `;user=phone`) are not its number.
_PARAMETER = re.compile(r";(?!ext=|isub=|phone-context=)[a-z-][^;]*", re.IGNORECASE)
# What is dialled once the call is up: after a pause (`,`, `p`) or a wait (`;`, `w`).
_PAUSE = re.compile(r"(?<=\d)\s*[pw,;]+\s*(?=\d[\d#*]*$)", re.IGNORECASE)
# "(mobile)"; brackets with digits are part of the number.
_LABEL = re.compile(r"\s*\([^\d()]+\)$")
_FLOAT = re.compile(r"(\+?\d+)[.,]0+")
_EXPONENT = re.compile(r"\+?(\d(?:[.,]\d+)?)e\+?(\d{1,2})", re.IGNORECASE)
# A float prints as many digits as it needs, but a spreadsheet's column prints six, and zeros for the rest.
_MOST_ZEROS_LOST = 3
# Caller ids that are letters on a keypad, as exchanges send them that can send digits only.
_KEYPAD = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
_SPELLED = frozenset(
    word.translate(_KEYPAD) for word in ("anonymous", "unavailable", "restricted", "blocked", "private")
)
# The words for an extension that the parser knows, with the digits behind them.
_EXTENSION = re.compile(
    r"(?:\b|(?<=\d))(?:ext(?:ensi[oó]n|n)?|xtn?|x|int|anexo|доб)[.:]?\s*=?\s*\d{1,20}#?$|;(?:isub|phone-context)=[^;]*",
    re.IGNORECASE,
)


def spells_withheld(digits: str) -> bool:
    """Whether these are a word such as "anonymous" on a keypad."""
    return digits in _SPELLED


def unwrapped(text: str) -> str | None:
    """What was wrapped up as a number, for the parser; words stay as they are. None where it is no number."""
    text = "".join(c for c in text if not unicodedata.category(c).startswith("C"))
    for _ in range(3):
        if not _PERCENT.search(text):
            break
        text = unquote(text)
    text = unescaped(text).strip().strip("'\"")
    if address := _ADDRESS.search(text):
        text = address[1]
    text = _SCHEME.sub("", text.strip())
    if "@" in text:
        user, _, host = text.partition("@")
        if host.partition(";")[0].lower().startswith("anonymous."):
            return "anonymous"
        text = user.partition(":")[0]
    text = _LABEL.sub("", _PARAMETER.sub("", text.partition("?")[0])).strip()
    if whole := _FLOAT.fullmatch(text):
        return whole[1]
    if exponent := _EXPONENT.fullmatch(text):
        return _expanded(exponent[1].replace(",", "."), int(exponent[2]))
    return _PAUSE.sub(",,", text)


def _expanded(digits: str, exponent: int) -> str | None:
    """`4.9302312501`, 11 -> `493023125010`; None where digits were lost."""
    lost = exponent - len(digits.partition(".")[2])
    return str(int(Decimal(digits).scaleb(exponent))) if 0 <= lost <= _MOST_ZEROS_LOST else None


def has_other_letters(text: str) -> bool:
    """Whether there are letters that no way of writing a number explains."""
    return any(c.isalpha() for c in _EXTENSION.sub("", text))
