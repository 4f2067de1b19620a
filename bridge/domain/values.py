"""Values as vendors send them: text or number, a null spelled in words, times in several forms.

Every reader takes anything and answers None for "not told"; none of them raises.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from uuid import UUID

from bridge.domain.outcome import Direction

_NO_VALUE = frozenset({"", "null", "none", "undefined", "nil", "nan", "[object object]", "n/a"})
_TEMPLATE = re.compile(r"^\{\{.*\}\}$", re.DOTALL)
_UUID = re.compile(r"^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")
# Bounded, as `int` refuses thousands of digits, and a length of a call that cannot be is none.
_CLOCK = re.compile(r"^(?:([0-9]{1,6}):)?([0-9]{1,2}):([0-9]{2})$")
# Bounded for the same reason: `html.unescape` gives the digits to `int`.
_ENTITY = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});")
_LONGEST_TEXT = 20_000
_MOST_TAGS = 1000
# Of all other values: a number, a time or a flag is told in less.
_LONGEST_VALUE = 256


def told(value: object) -> bool:
    if value is None:
        return False
    if isinstance(value, str):
        text = value.strip()
        return text.casefold() not in _NO_VALUE and not _TEMPLATE.match(text)
    return True


def read_call_id(value: object) -> int | None:
    """A call's number: positive, digits only (they stood at 1.0e9 in 2025; read as 64 bits)."""
    number = read_whole(value)
    return number if number is not None and 0 < number < 2**63 else None


def read_uuid(value: object) -> UUID | None:
    """A call's uuid; words from test sends (`test-missed-123`) and the nil uuid are none."""
    if not isinstance(value, str):
        return None
    text = value.strip().strip("{}").lower()
    if not _UUID.match(text) or not int(text.replace("-", ""), 16):
        return None
    return UUID(text)


def read_time(value: object) -> datetime | None:
    """ISO 8601 with its offset, else UTC as CloudTalk documents; or Unix seconds or milliseconds."""
    if isinstance(value, bool) or not told(value):
        return None
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdigit()):
            seconds = float(value)
            seconds = seconds / 1000 if seconds > 1e11 else seconds
            moment = datetime.fromtimestamp(seconds, UTC)
        elif isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    # Outside of these years it is no time of a call but some other number, or "nothing" as year 1; and
    # at the ends of the calendar a time zone or a length cannot be added.
    return moment if 2000 <= moment.year < 2200 else None


def read_whole(value: object) -> int | None:
    if isinstance(value, bool) or not told(value):
        return None
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**63 else None
    if isinstance(value, str):
        text = value.strip().removesuffix(".0")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    return None


def read_seconds(value: object) -> int | None:
    """Seconds as number or text, or `h:mm:ss` as some templates format them."""
    if isinstance(value, str) and (clock := _CLOCK.match(value.strip())):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        total = hours * 3600 + minutes * 60 + seconds
        return total if total < 2**31 else None
    if isinstance(value, float) and value >= 0 and value < 2**31:
        return int(value)
    number = read_whole(value)
    return number if number is not None and 0 <= number < 2**31 else None


def unescaped(text: str) -> str:
    """The text with its character references resolved: complete ones, and those that name a character."""
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text)


def read_text(value: object, longest: int = _LONGEST_TEXT) -> str | None:
    if isinstance(value, list):
        value = "\n".join(_plain(item) for item in value if told(item))
    if isinstance(value, bool) or not told(value):
        return None
    text = unescaped(_plain(value))
    # Control characters have no place in a note; line ends do.
    text = "".join(c if c in "\n\t" or c.isprintable() else " " for c in text.replace("\r\n", "\n")).strip()
    return text[:longest] or None


def _plain(value: object) -> str:
    """A value as text: what is neither text nor a number of a sane size has none."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) < 2**63 else ""
    return str(value) if isinstance(value, float) else ""


def _word(value: object) -> str:
    """A short text or number in lower case, for comparing."""
    text = _plain(value).strip() if told(value) else ""
    return text.casefold() if len(text) <= _LONGEST_VALUE else ""


def read_name(value: object) -> str | None:
    text = read_text(value, 256)
    return " ".join(text.split()) or None if text else None


def read_email(value: object) -> str | None:
    text = read_name(value)
    return text.lower() if text and "@" in text and " " not in text else None


def read_flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    word = _word(value)
    return True if word in ("true", "1", "yes") else False if word in ("false", "0", "no") else None


def read_tags(value: object) -> tuple[str, ...] | None:
    """One text joined by commas, oldest first, all of them every time; or a list of texts or objects."""
    if isinstance(value, str):
        value = value.split(",", _MOST_TAGS)[:_MOST_TAGS] if told(value) else []
    if not isinstance(value, list):
        return None
    value = value[:_MOST_TAGS]
    names = [item.get("name") or item.get("label") if isinstance(item, dict) else item for item in value]
    clean = [name for item in names if (name := read_name(item))]
    return tuple(dict.fromkeys(clean))


def read_direction(value: object) -> Direction | None:
    word = _word(value)
    if word in ("incoming", "inbound", "in"):
        return Direction.INCOMING
    if word in ("outgoing", "outbound", "out"):
        return Direction.OUTGOING
    return Direction.INTERNAL if word == "internal" else None
