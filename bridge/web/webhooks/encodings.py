"""How a body is written down: compressed or not, and in which of Unicode's encodings."""

from __future__ import annotations

import codecs
import json
import re
import zlib

from bridge.web.answers import Refused

_NAME = re.compile(rb"[a-z0-9._-]{1,20}")
_GZIP = (b"gzip", b"x-gzip")
UTF_8 = "utf-8"
_OTHERS = "utf-16 or utf-32"
# By Python's names; ASCII is a part of UTF-8.
_UNICODE = {
    **dict.fromkeys(("ascii", "utf-8", "utf-8-sig"), UTF_8),
    **dict.fromkeys(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"), _OTHERS),
}


def codings_in(value: bytes) -> list[bytes]:
    """What a Content-Encoding says a body went through, in that order; `identity` is nothing."""
    names = (name.strip().lower() for name in value.split(b","))
    return [name for name in names if name not in (b"", b"identity")]


def decompressed(body: bytes, codings: list[bytes], *, largest: int, too_large: Refused) -> bytes:
    """The body as it was before it was compressed; never more of it in memory than `largest` and a byte.

    Raises:
        Refused: 415 for anything but gzip; 400 when it is none; `too_large`.
    """
    if not codings:
        return body
    if len(codings) > 1 or codings[0] not in _GZIP:
        known = all(map(_NAME.fullmatch, codings)) and len(codings) <= 3
        name = b", ".join(codings).decode("ascii") if known else "an unknown encoding"
        raise Refused(
            415,
            "content-encoding",
            f"unsupported content encoding: {name}",
            "Send it without Content-Encoding, or with gzip.",
            {"accept-encoding": "gzip, identity"},
        )
    out = bytearray()
    try:
        while body:
            member = zlib.decompressobj(wbits=31)
            out += member.decompress(body, largest + 1 - len(out))
            if len(out) > largest:
                raise too_large
            if not member.eof:
                raise zlib.error
            body = member.unused_data
    except zlib.error:
        error = "the body is not valid gzip, or incomplete"
        raise Refused(
            400, "not-gzip", error, "Send it without Content-Encoding, or as a complete gzip."
        ) from None
    return bytes(out)


def charset_of(parameters: list[bytes]) -> str | None:
    """The encoding of Unicode that a Content-Type announces, for `as_utf_8`; None for any other."""
    charset = UTF_8
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() != b"charset":
            continue
        label = value.strip().strip(b"\"'").strip().decode("latin-1")
        try:
            found = codecs.lookup("utf-8" if label.startswith("utf8") else label or UTF_8).name
        except (LookupError, ValueError):
            return None
        if found not in _UNICODE:
            return None
        charset = _UNICODE[found]
    return charset


def as_utf_8(body: bytes, charset: str) -> bytes:
    """The same text in UTF-8, and without a mark of the byte order.

    Raises:
        UnicodeDecodeError: it is not in that encoding.
    """
    if charset != UTF_8:
        # Which of them, and in which order of bytes, JSON shows by its first characters.
        body = body.decode(json.detect_encoding(body)).encode()
    return body.removeprefix(codecs.BOM_UTF8)
