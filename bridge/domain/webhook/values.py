"""Values as vendors send them: text or number, a null spelled in words, times in several forms.

Every reader takes anything and answers None for "no value"; none of them raises.
"""

from __future__ import annotations

import email.utils
import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html.entities import html5
from uuid import UUID

from bridge.domain.outcome import Direction
from bridge.domain.webhook.keys import FIRST_NAME, FULL_NAME, LAST_NAME, MIDDLE_NAME, spelled
from bridge.domain.webhook.placeholders import means_nobody, without_placeholders

_NO_VALUE = frozenset({"", "null", "none", "undefined", "nil", "nan", "[object object]", "n/a"})
_LONGEST_NO_VALUE = max(map(len, _NO_VALUE))
_TEMPLATE = re.compile(r"^\{\{.*\}\}$", re.DOTALL)
_UUID = re.compile(r"^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")
# Bounded, as `int` refuses thousands of digits, and a length of a call that cannot be is none.
_CLOCK = re.compile(r"^(?:([0-9]{1,6}):)?([0-9]{1,2}):([0-9]{2})(?:[.,][0-9]{1,9})?$")
_FRACTION = re.compile(r"([0-9]{1,10})[.,][0-9]{1,9}")
_LONGEST_TEXT = 20_000
_MOST_TAGS = 1000
# Of all other values: a number, a time or a flag is shorter.
_LONGEST_VALUE = 256
# No entity without its semicolon: `&region=` in a link is none. Bounded for the same reason.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
# Control characters except tab and line feed, and what reverses the letters after it (embeddings, overrides
# and isolates of direction). Characters that join or shape letters (ZWJ, ZWNJ, soft hyphens) and marks of
# direction, which only move the punctuation beside them, belong to the text.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")
# In a name, which stands inside lines of ours, not even these.
_MARKS_OF_DIRECTION = re.compile("[\u061c\u200e\u200f]")
# Nothing in it has to be put right: most texts.
_PLAIN = re.compile(r"[ !-%'-;=-~]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
# `<` opens markup unless a blank, a digit or the end follows (HTML: letter, `/`, `!` and `?` do).
_MARKUP = re.compile(r"<(?![\s\d=<-]|$)")
# The same where more text follows.
_MARKUP_TO_COME = re.compile(r"<(?![\s\d=])")
_HARMLESS = "\u2039"
# The names that ISO 8601 has no room for; of these nobody means two zones.
_ZONES = {"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3}
_ZONE_NAME = re.compile(r"\s*\b([A-Z]{1,4})$")
_ISO = re.compile(r"\d{4}-?\d{2}-?\d{2}")
# As CloudTalk and most others write it: nothing to put right before it is read.
_USUAL_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?!24)[0-9]{2}:[0-9]{2}:(?!60)[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_YEAR_FIRST = re.compile(r"^(\d{4})/(\d{2})/(\d{2})(?=\D|$)")
_ONE_DIGIT_HOUR = re.compile(r"(?<=^\d{4}-\d\d-\d\d[T ])(?=\d:)")
# `t` and `z` are as good as `T` and `Z` (RFC 3339).
_SMALL_LETTERS = re.compile(r"(?<=\d)t(?=\d)|(?<=\d)z$")
# 12:25 AM is 00:25. Unread, the mail form's reader would pass over it.
_HALF_OF_DAY = re.compile(r"\b(\d{1,2})(:\d\d(?::\d\d)?(?:[.,]\d+)?)\s*([AP])\.?M\b\.?", re.IGNORECASE)
# An offset after a blank, and what Java adds behind it ("[Europe/Prague]").
_ISO_EXTRAS = re.compile(r"\[[^\]]*\]$")
_BLANK_OFFSET = re.compile(r"\s+(?=[+-]\d{2}:?\d{2}$)")
_ZONE_TWICE = re.compile(r"\bGMT(?=[+-]\d{4})")
_MIDNIGHT = re.compile(r"(?<=[T ])24(?=:?00(?::?00(?:[.,]0*)?)?(?:Z|[+-][\d:]+)?$)")
_LEAP_SECOND = re.compile(r"(?<=:\d\d):60(?=[.,Z+-]|$)")


def has_value(value: object) -> bool:
    if value is None:
        return False
    if isinstance(value, str):
        text = value.strip()
        if len(text) <= _LONGEST_NO_VALUE and text.casefold() in _NO_VALUE:
            return False
        return not (text.startswith("{{") and _TEMPLATE.match(text))
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
    """ISO 8601 with its offset, else UTC as CloudTalk documents; mail's form; or time since 1970."""
    if isinstance(value, bool) or not has_value(value):
        return None
    try:
        if isinstance(value, int | float):
            moment = _since_1970(float(value))
        elif isinstance(value, str):
            moment = _written_time(value.strip())
        else:
            return None
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return None
    # Outside of these years it is no time of a call but some other number, or "nothing" as year 1; and
    # at the ends of the calendar a time zone or a length cannot be added.
    return moment if 2000 <= moment.year < 2200 else None


def _since_1970(number: float) -> datetime:
    """Seconds, or as many thousandths, millionths or billionths as make a year of calls."""
    for unit in (1e9, 1e6, 1e3):
        if number > 1e8 * unit:
            return datetime.fromtimestamp(number / unit, UTC)
    return datetime.fromtimestamp(number, UTC)


def _written_time(text: str) -> datetime:
    if _USUAL_ISO.fullmatch(text):
        return datetime.fromisoformat(text)
    if re.fullmatch(r"\d{1,19}(\.\d{1,9})?", text) and not re.fullmatch(r"\d{8}", text):
        return _since_1970(float(text))
    text = _HALF_OF_DAY.sub(_of_24_hours, text[:_LONGEST_VALUE])
    text = _ONE_DIGIT_HOUR.sub("0", _YEAR_FIRST.sub(r"\1-\2-\3", text))
    if not _ISO.match(text):
        # As browsers print it, the zone stands twice ("GMT+0100 (CET)").
        return email.utils.parsedate_to_datetime(_ZONE_TWICE.sub("", text[:64]))
    text = _SMALL_LETTERS.sub(lambda letter: letter[0].upper(), text)
    text = _BLANK_OFFSET.sub("", _ISO_EXTRAS.sub("", text))
    # Two ways to write the first moment of what follows: midnight as 24:00, and a leap second as :60.
    later = timedelta(0)
    if _MIDNIGHT.search(text):
        text, later = _MIDNIGHT.sub("00", text), timedelta(days=1)
    elif _LEAP_SECOND.search(text):
        text, later = _LEAP_SECOND.sub(":59", text), timedelta(seconds=1)
    if zone := _ZONE_NAME.search(text):
        if zone[1] not in _ZONES:
            raise ValueError(f"no zone is known as {zone[1]}")
        local = datetime.fromisoformat(text[: zone.start()])
        return local.replace(tzinfo=UTC) - timedelta(hours=_ZONES[zone[1]]) + later
    return datetime.fromisoformat(text) + later


def _of_24_hours(time: re.Match[str]) -> str:
    hour = int(time[1])
    if not 1 <= hour <= 12:
        # 13:05 PM says the same twice; 00:25 AM too.
        return f"{time[1]}{time[2]}"
    return f"{hour % 12 + (12 if time[3] in 'pP' else 0):02}{time[2]}"


def read_whole(value: object) -> int | None:
    if isinstance(value, bool) or not has_value(value):
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
    """Whole seconds of a number or text, or `h:mm:ss` as some templates format them."""
    if isinstance(value, str) and (clock := _CLOCK.match(value.strip())):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        total = hours * 3600 + minutes * 60 + seconds
        return total if total < 2**31 else None
    if isinstance(value, str) and (parts := _FRACTION.fullmatch(value.strip())):
        value = parts[1]
    if isinstance(value, float) and value >= 0 and value < 2**31:
        return int(value)
    number = read_whole(value)
    return number if number is not None and 0 <= number < 2**31 else None


def unescaped(text: str) -> str:
    """The text with its character references resolved: complete ones, and those that name a character."""
    return _ENTITY.sub(_character, text)


def _character(reference: re.Match[str]) -> str:
    """What one reference stands for; `html.unescape` alone would make "¬it;" of "&notit;"."""
    name = reference[0]
    return html.unescape(name) if name[1] == "#" else html5.get(name[1:], name)


def read_text(value: object, longest: int = _LONGEST_TEXT) -> str | None:
    """A text of several lines, as it may be passed on: no control characters, and no markup in it.

    Every line break of Unicode becomes the one that all readers take for one.
    """
    if isinstance(value, list):
        value = "\n".join(_plain(item) for item in value if has_value(item))
    if isinstance(value, bool) or not has_value(value):
        return None
    return harmless(_plain(value), longest)


def harmless(text: str, longest: int = _LONGEST_TEXT) -> str | None:
    """A text as it may be passed on, see `read_text`; also one that is a program's word for nothing."""
    text = text[: 8 * longest]
    if _PLAIN.fullmatch(text):
        return text.strip()[:longest] or None
    text = unescaped(text)
    text = _CONTROL.sub("", "\n".join(text.splitlines()))
    text = without_markup(_SURROGATE.sub("\ufffd", text)).strip()
    return text[:longest] or None


def without_markup(text: str, instead: str = _HARMLESS) -> str:
    """The text with another sign wherever `<` would open a tag or a comment."""
    return _MARKUP.sub(instead, text)


def for_embedding(text: str) -> str:
    """Text from outside for a place in a text of the operator's: what is behind it cannot make markup of it.

    Every line break of Unicode becomes the one that all readers take for one.
    """
    lines = "\n".join(text.splitlines()) if text else text
    return _MARKUP_TO_COME.sub(_HARMLESS, _MARKS_OF_DIRECTION.sub("", _CONTROL.sub("", lines)))


def _plain(value: object) -> str:
    """A value as text: what is neither text nor a number of a sane size has none."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) < 2**63 else ""
    return str(value) if isinstance(value, float) else ""


def _word(value: object) -> str:
    """A short text or number in lower case, for comparing."""
    text = _plain(value).strip() if has_value(value) else ""
    return text.casefold() if len(text) <= _LONGEST_VALUE else ""


def read_name(value: object) -> str | None:
    text = read_text(value, 256)
    return " ".join(_MARKS_OF_DIRECTION.sub("", text).split()) or None if text else None


def read_person(*parts: object) -> str | None:
    """A person's name from its parts, without what programs put where a name is missing.

    One part may be an object: `{"first": "Ada", "last": "Example"}`, or with the whole name in it.
    """
    if len(parts) == 1 and isinstance(parts[0], Mapping):
        return _person_in(parts[0])
    names = [str(part).strip() if part in _CALLED_SO else read_name(part) for part in parts]
    name = " ".join(name for name in names if name)
    if not name or means_nobody(name):
        return None
    kept = without_placeholders(name)
    # A number in place of a name is what a phone shows of somebody it does not know.
    is_somebody = kept and (kept == name or not means_nobody(kept)) and any(c.isalpha() for c in kept)
    return kept if is_somebody else None


def _person_in(value: Mapping[str, object]) -> str | None:
    """The name in an object, one object deep: `{"id": 7, "name": {"first": "Ada"}}` as well."""
    by_name = {spelled(key): value[key] for key in sorted(value)}
    for key in FULL_NAME:
        whole = by_name.get(key)
        name = _from_parts(whole) if isinstance(whole, Mapping) else read_person(whole)
        if name is not None:
            return name
    return _from_parts(value)


def _from_parts(value: Mapping[str, object]) -> str | None:
    by_name = {spelled(key): value[key] for key in sorted(value)}
    parts = (
        next((by_name[key] for key in keys if has_value(by_name.get(key))), None)
        for keys in (FIRST_NAME, MIDDLE_NAME, LAST_NAME)
    )
    # Given names may be a list of them.
    return read_person(*(" ".join(map(_plain, part)) if isinstance(part, list) else part for part in parts))


# People's names, though in lower case they are how programs print nothing.
_CALLED_SO = ("Null", "Nil", "Nan")


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
        value = value.split(",", _MOST_TAGS)[:_MOST_TAGS] if has_value(value) else []
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
