"""Numbers as phones, exchanges and programs wrap them: URIs, extensions, pauses, escapes, floats.

What is left is for the parser of `phonenumbers`, which knows how each country writes its numbers.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from urllib.parse import unquote

from bridge.domain.webhook.values import unescaped

LONGEST = 256
# Most numbers: nothing is wrapped around them.
_BARE = re.compile(r"\+?[0-9]+")
_SCHEME = re.compile(
    r"^(?:tel(?:ephone|efon)?\.?|sips?|callto|whatsapp|wa|skype|viber|facetime(?:-audio)?|phone|mobile?|cell|gsm|fax"
    r"|sms|smsto|im|h323)\s*:\s*(?://)?",
    re.IGNORECASE,
)
# A plus that a program wrote as JSON would, once too often.
_PLUS = re.compile(r"\\(?:u00|x)2b", re.IGNORECASE)
# Signs that people set between digits and the parser does not know.
_SEPARATORS = str.maketrans(dict.fromkeys("·•∙_", " "))
# What an exchange wants dialled first: `9,+44…` for an outside line, `*31#+49…` to hide one's own number.
_DIALLED_FIRST = re.compile(r"^(?=[^+]*[*#,])[\d*#,\s]{1,6}(?=\+)")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3}){3,}")
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
# `"Ada Example" <sip:+15550102014@sbc.example.com>;tag=1`
_ADDRESS = re.compile(r"<([^<>]+)>[^<>]*$")
# Parameters of a tel URI that the parser reads; others (`;npdi`, `;rn=…`, `;user=phone`) are not its number.
_PARAMETER = re.compile(r";(?!ext=|isub=|phone-context=)[a-z-][^;]*", re.IGNORECASE)
# What is dialled once the call is up: after a pause (`,`, `p`) or a wait (`;`, `w`).
_PAUSE = re.compile(r"(?<=\d)\s*[pwt,;!*]+\s*\d[\d#*pwt,;!\s]*$", re.IGNORECASE)
_EXTENSION_WORDS = (
    r"ext(?:ensi[oó]n|n)?|xtn?|x|int(?:erno)?|anexo|ramal|poste|nst|nebenstelle|durchwahl|dw|klappe|klapka|linka"
    r"|wewn?|toestel|tst|anknytning|lokal|mellék|dahili|доб|внутр"
)
# "(mobile)", "[home]"; brackets with digits are part of the number.
_LABEL = re.compile(r"\s*(?:\([^\d()]+\)|\[[^\d\[\]]+\])$")
_FLOAT = re.compile(r"(\+?\d+)[.,]0+")
_EXPONENT = re.compile(r"\+?(\d(?:[.,]\d+)?)e\+?(\d{1,3})", re.IGNORECASE)
# A float prints as many digits as it needs, but a spreadsheet's column prints six, and zeros for the rest.
_MOST_ZEROS_LOST = 3
# Caller ids that are letters on a keypad, as exchanges send them that can send digits only.
_KEYPAD = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
_SPELLED = frozenset(
    word.translate(_KEYPAD) for word in ("anonymous", "unavailable", "restricted", "blocked", "private")
)
# The words for an extension, with the digits behind them; and what the parser reads of a tel URI.
_EXTENSION = re.compile(rf"(?:\b|(?<=\d))(?:{_EXTENSION_WORDS})[.:]?\s*=?\s*\d{{1,20}}#?$", re.IGNORECASE)
_READ_BY_PARSER = re.compile(r";(?:isub|phone-context)=[^;]*", re.IGNORECASE)
# Fewer digits in front of an extension are no number that has one.
_SHORTEST_WITH_EXTENSION = 7
# Letters and digits for "not shown" that exchanges and phones send in place of a number.
_NOT_SHOWN = frozenset({"p", "o", "-1", "-2", "-3", "clir", "anonymous.invalid"})


def spells_withheld(digits: str) -> bool:
    """Whether these are a word such as "anonymous" on a keypad."""
    return digits in _SPELLED


def says_withheld(text: str) -> bool:
    """Whether a code, or nothing but zeros, stands where the number would be."""
    return text.casefold() in _NOT_SHOWN or bool(re.fullmatch(r"\+?0+", text))


def unwrapped(text: str) -> str | None:
    """What was wrapped up as a number, for the parser; words stay as they are. None where it is no number."""
    if _BARE.fullmatch(text):
        return text
    text = "".join(c for c in text if not unicodedata.category(c).startswith("C"))
    for _ in range(3):
        if not _PERCENT.search(text):
            break
        text = unquote(text)
    for _ in range(3):
        text = unescaped(text)
    text = unicodedata.normalize("NFKC", _PLUS.sub("+", text)).translate(_SEPARATORS)
    text = text.strip().lstrip("=").strip("'\"")
    if address := _ADDRESS.search(text):
        text = address[1]
    text = _SCHEME.sub("", text.strip())
    if "@" in text:
        user, _, host = text.partition("@")
        if host.partition(";")[0].lower().startswith("anonymous."):
            return "anonymous"
        text = user.partition(":")[0]
    text = _DIALLED_FIRST.sub("", text)
    text = _LABEL.sub("", _PARAMETER.sub("", text.partition("?")[0])).strip()
    if whole := _FLOAT.fullmatch(text):
        return whole[1]
    if exponent := _EXPONENT.fullmatch(text):
        return _expanded(exponent[1].replace(",", "."), int(exponent[2]))
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", "")
    return _without_extension(_without_extension(text, _EXTENSION), _PAUSE)


def _without_extension(text: str, extension: re.Pattern[str]) -> str:
    """The number alone, where there is a whole one in front of an extension or of what is dialled later."""
    found = extension.search(text)
    if not found or sum(c.isdigit() for c in text[: found.start()]) < _SHORTEST_WITH_EXTENSION:
        return text
    return text[: found.start()].rstrip(" ,;.")


def _expanded(digits: str, exponent: int) -> str | None:
    """`4.9302312501`, 11 -> `493023125010`; None where digits were lost."""
    lost = exponent - len(digits.partition(".")[2])
    return str(int(Decimal(digits).scaleb(exponent))) if 0 <= lost <= _MOST_ZEROS_LOST else None


def has_other_letters(text: str) -> bool:
    """Whether there are letters that no way of writing a number explains."""
    if not any(c.isalpha() for c in text):
        return False
    return any(c.isalpha() for c in _READ_BY_PARSER.sub("", _EXTENSION.sub("", text)))
