"""What a single setting may be: one type for each kind of value, with a message that says how to mend it.

No message repeats the value: it may be a secret, or hold one.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, cast, get_args
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from bridge.domain.hours import read_hours
from bridge.encryption.keyring import read_keys

# Of a token that the operator makes up: whoever guesses one is in. `doctor` asks for GOOD_TOKEN.
SHORTEST_TOKEN = 8
GOOD_TOKEN = 16
# Of a person: `read` may look, `operate` may also change things.
Role = Literal["read", "operate"]
ROLES: Sequence[Role] = get_args(Role)
# Who OPS_TOKEN signs in.
OPS = "ops"
# Names that the trail gives to others.
TAKEN_NAMES = {OPS: "OPS_TOKEN", "clock": "the clock process"}
_LONGEST_NAME = 40
# Of a signing secret, in bytes after base64: 128 bits. CloudTalk's have 24 and more.
SHORTEST_SIGNING_KEY = 16


def _listed(value: object) -> object:
    """A comma-separated text as a list, empty parts left out."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _addresses(value: object) -> object:
    """A text of notification addresses as a list; only a comma before a `scheme://` parts them."""
    if isinstance(value, str):
        return [part.strip() for part in re.split(r",\s*(?=[A-Za-z][\w+.-]*://)", value) if part.strip(", ")]
    return value


def _notify_url(value: SecretStr) -> SecretStr:
    if not re.match(r"[A-Za-z][\w+.-]*://\S", value.get_secret_value()):
        raise ValueError("each must be an address of apprise, such as ntfy://TOPIC or json://HOST/PATH")
    return value


def _e164(value: str) -> str:
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", value):
        raise ValueError("must be a number with its country code, such as +15550100199")
    return value


def _hours(value: str) -> str:
    read_hours(value)
    return value


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        # A name, and it may be anybody's: 127.example.com.
        return False


def _service_url(value: str) -> str:
    """An upstream address: https, or plain http to this machine only, as keys travel on it."""
    parts = _split(value)
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must be an address such as https://api.example.com")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("must start with https:// (plain http is for this machine only)")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password; the keys have settings of their own")
    if parts.query or parts.fragment:
        raise ValueError("must end with its path: no ? and no #")
    return value.rstrip("/")


def _split(value: str) -> SplitResult | None:
    """The parts of an address that a request can be sent to; None for any other text."""
    if any(_is_control(letter) or letter.isspace() for letter in value):
        return None
    try:
        parts = urlsplit(value)
        if parts.hostname:
            # What the look-up of a name does with it.
            parts.hostname.encode("idna")
        # Read only to see whether there is a number between 1 and 65535.
        return None if parts.port == 0 else parts
    except ValueError:
        return None


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, ZoneInfoNotFoundError) as cause:
        raise ValueError("is not a time zone such as Europe/Prague") from cause
    return value


def _region(value: str) -> str:
    value = value.upper()
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("is not a country code of two letters such as GB")
    return value


def _key(value: SecretStr) -> SecretStr:
    """A key that a service gave: it goes into a header, which carries printable ASCII only."""
    text = value.get_secret_value()
    for at, letter in enumerate(text, 1):
        if _is_control(letter):
            raise ValueError(f"has a control character or line end at place {at}; copy the key again")
        if letter.isspace():
            raise ValueError(f"has a blank at place {at}; copy the key again")
        if not letter.isascii():
            raise ValueError(f"has a letter or sign outside ASCII at place {at}; copy the key again")
    return value


def _token(value: SecretStr) -> SecretStr:
    """A token that the operator made up, in any alphabet."""
    text = value.get_secret_value()
    if any(_is_control(letter) for letter in text):
        raise ValueError("holds a control character or line end")
    if len(text) < SHORTEST_TOKEN:
        raise ValueError(
            f"must have at least {SHORTEST_TOKEN} characters, better {GOOD_TOKEN} or more: "
            "whoever guesses it is let in"
        )
    return value


@dataclass(frozen=True, slots=True)
class OpsToken:
    """One entry of OPS_TOKENS: the token of a person, and what that person may do."""

    name: str
    role: Role
    token: SecretStr


def _ops_tokens(value: object) -> object:
    """`name:role:token` each.

    Raises:
        ValueError: what is wrong, by the entry's number. No part of an entry is shown, as its token may stand
            in any place.
    """
    if not isinstance(value, list):
        return value
    found: list[OpsToken] = []
    wrong: list[str] = []
    for number, entry in enumerate(value, 1):
        try:
            one = entry if isinstance(entry, OpsToken) else _ops_token(str(entry))
            if one.name.casefold() in (other.name.casefold() for other in found):
                raise ValueError("has the name of an earlier one; the trail could not tell them apart")
            if one.token in (other.token for other in found):
                raise ValueError("has the token of an earlier one; give each person a token of their own")
            found.append(one)
        except ValueError as error:
            wrong.append(f"entry {number} {error}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return found


def _ops_token(entry: str) -> OpsToken:
    parts = [part.strip() for part in entry.split(":")]
    if len(parts) != 3 or not all(parts):
        raise ValueError("is not name:role:token; a token holds no comma or colon")
    name, role, text = parts
    if len(name) > _LONGEST_NAME or any(_is_control(letter) for letter in name):
        raise ValueError(f"has a name of more than {_LONGEST_NAME} characters, or with a control character")
    if name.casefold() in TAKEN_NAMES:
        raise ValueError(f"has a name that stands for {TAKEN_NAMES[name.casefold()]}; use another")
    if role not in ROLES:
        raise ValueError(f"has an unknown role; the roles are {' and '.join(ROLES)}")
    try:
        return OpsToken(name, cast(Role, role), _token(SecretStr(text)))
    except ValueError as cause:
        raise ValueError(f"has a token that {cause}") from None


def _signing_secret(value: SecretStr) -> SecretStr:
    try:
        key = base64.b64decode(value.get_secret_value().removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error) as cause:
        raise ValueError("holds a secret that is not whsec_ followed by base64") from cause
    if not key:
        # Everybody could sign with it.
        raise ValueError("holds a secret with nothing after whsec_")
    if len(key) < SHORTEST_SIGNING_KEY:
        raise ValueError(
            f"holds a secret of {len(key)} bytes; the ones that CloudTalk shows have "
            f"{SHORTEST_SIGNING_KEY} or more: copy it whole"
        )
    return value


def _path(value: Path) -> Path:
    if any(_is_control(letter) for letter in str(value)):
        raise ValueError("holds a line end or a control character")
    return value


def _word(value: str) -> str:
    if any(_is_control(letter) or letter.isspace() for letter in value):
        raise ValueError("holds a blank, a line end or a control character")
    return value


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) == "Cc" or letter in "\u2028\u2029"


@lru_cache(maxsize=16)
def _redis_url(value: str) -> str:
    # Loaded only where there is one: it takes longer than all else that a small command needs.
    from bridge.ledger.address import check

    check(value)
    return value


def _encryption_keys(value: object) -> object:
    """Args: value: the entries, or what is no list of them.

    Raises:
        ValueError: what is wrong, by the entry's number.
    """
    if isinstance(value, list):
        texts = [one.get_secret_value() if isinstance(one, SecretStr) else str(one) for one in value]
        read_keys(texts)
    return value


ServiceUrl = Annotated[str, AfterValidator(_service_url)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
Zone = Annotated[str, AfterValidator(_zone)]
Region = Annotated[str, AfterValidator(_region)]
PathText = Annotated[Path, AfterValidator(_path)]
# A name or id that becomes part of an address.
Word = Annotated[str, AfterValidator(_word)]
Key = Annotated[SecretStr, AfterValidator(_key)]
Token = Annotated[SecretStr, AfterValidator(_token)]
# `NoDecode`: a list is written with commas, not as JSON.
Tokens = Annotated[list[Token], NoDecode, BeforeValidator(_listed)]
OpsTokens = Annotated[list[OpsToken], NoDecode, BeforeValidator(_ops_tokens), BeforeValidator(_listed)]
EncryptionKeys = Annotated[
    list[SecretStr], NoDecode, BeforeValidator(_encryption_keys), BeforeValidator(_listed)
]
SigningSecrets = Annotated[
    list[Annotated[SecretStr, AfterValidator(_signing_secret)]], NoDecode, BeforeValidator(_listed)
]
NotifyUrls = Annotated[
    list[Annotated[SecretStr, AfterValidator(_notify_url)]], NoDecode, BeforeValidator(_addresses)
]
E164 = Annotated[str, AfterValidator(_e164)]
HoursText = Annotated[str, AfterValidator(_hours)]
