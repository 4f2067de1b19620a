"""The ciphers of `cryptography`, imported once one is used: it takes 0.1 s and 9 MB."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def aes_gcm() -> Any:
    """AES-GCM, made with a key of 256 bits."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM


@cache
def aes_siv() -> Any:
    """AES-SIV, made with a key of 512 bits."""
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    return AESSIV


@cache
def invalid_tag() -> type[Exception]:
    """What both raise for what was not encrypted so."""
    from cryptography.exceptions import InvalidTag

    return InvalidTag
