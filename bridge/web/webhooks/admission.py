"""Who may post a webhook: whoever holds a token, or signed the body. Pure functions over bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

Headers = Iterable[tuple[bytes, bytes]]

TOLERANCE_S = 300
# Svix sends one for each secret in use; a stranger's thousand need not be looked at.
_MOST_SIGNATURES = 16
# The native webhooks' spelling, then that of the Standard Webhooks specification.
_NAMES = tuple((of + b"id", of + b"timestamp", of + b"signature") for of in (b"svix-", b"webhook-"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a signed request says of itself; proves nothing until it is checked with the body."""

    id: bytes
    timestamp: bytes
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The tokens and signing keys that admit."""

    tokens: tuple[bytes, ...] = ()
    keys: tuple[bytes, ...] = ()
    _named: tuple[tuple[bytes, str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        named = tuple((token, f"token {number}") for number, token in enumerate(self.tokens, 1))
        object.__setattr__(self, "_named", named)

    @classmethod
    def of(cls, tokens: Sequence[SecretStr], secrets: Sequence[SecretStr]) -> Admission:
        given_headers = (token.get_secret_value().encode() for token in tokens)
        keys = (
            base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
            for secret in secrets
        )
        # An empty token or key would admit everybody.
        return cls(tokens=tuple(t for t in given_headers if t), keys=tuple(k for k in keys if k))

    @property
    def admits_nobody(self) -> bool:
        return not self.tokens and not self.keys

    def sender_of(self, offered: Iterable[bytes]) -> str | None:
        """The name of our token that is among `offered`, if one is; takes as long whichever it is."""
        found = None
        for token in offered:
            for ours, name in self._named:
                if hmac.compare_digest(ours, token):
                    found = name
        return found

    def fault_of(self, signature: Signature, body: bytes, *, now: float) -> str | None:
        """Why a signature does not admit, or None when it does."""
        text = signature.timestamp
        if not text.isdigit() or len(text) > 12 or abs(now - int(text)) > TOLERANCE_S:
            return "stale-signature"
        signed = b"%b.%b.%b" % (signature.id, text, body)
        found = False
        for key in self.keys:
            ours = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
            for theirs in signature.signatures:
                found |= hmac.compare_digest(ours, theirs)
        return None if found else "bad-signature"


def offered_tokens(headers: Headers) -> list[bytes]:
    """Every token a request offers: Bearer, the password of Basic, or the header of its own."""
    found: list[bytes] = []
    for name, value in headers:
        if name == b"authorization":
            found.append(token_in(value))
        elif name == b"x-webhook-token":
            found.append(value.strip())
    return found


def token_in(authorization: bytes) -> bytes:
    """The token in an Authorization header; empty where it has another scheme."""
    if authorization[:7] == b"Bearer ":
        # As nearly all write it.
        return authorization[7:].strip()
    scheme, _, rest = authorization.strip().partition(b" ")
    match scheme.lower():
        case b"bearer":
            return rest.strip()
        case b"basic":
            return _password(rest.strip())
    return b""


def _password(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def signature_of(headers: Headers) -> Signature | None:
    """The signature that a request carries, if it carries a whole one."""
    given_headers = dict(headers)
    for named, timed, signatures in _NAMES:
        mark, at, signed = given_headers.get(named), given_headers.get(timed), given_headers.get(signatures)
        if mark is not None and at is not None and signed is not None:
            versions = (item.partition(b",") for item in signed.split()[:_MOST_SIGNATURES])
            return Signature(
                id=mark,
                timestamp=at.strip(),
                signatures=tuple(text for version, _, text in versions if version == b"v1"),
            )
    return None
