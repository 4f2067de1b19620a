"""Why a request over HTTP got no reply, in a few words that name no library."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx2

from bridge.errors import AnswerTooLarge, TooSlow

# The first that fits an error or one of its causes; the more exact ones first.
_CAUSES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (ssl.SSLError, "TLS handshake failed"),
    (socket.gaierror, "host name not found"),
    (ConnectionRefusedError, "connection refused"),
    ((httpx2.TimeoutException, TooSlow, TimeoutError), "timed out"),
    (httpx2.ProxyError, "proxy refused the connection"),
    ((AnswerTooLarge, httpx2.DecodingError), "unreadable reply"),
    ((ConnectionResetError, BrokenPipeError), "connection reset"),
    ((httpx2.ReadError, httpx2.WriteError, httpx2.CloseError), "connection closed"),
    (httpx2.RemoteProtocolError, "connection closed, or not an HTTP reply"),
    (httpx2.ProtocolError, "invalid HTTP"),
    (httpx2.ConnectError, "could not connect"),
)


def cause_of(error: BaseException) -> str:
    """None of the error's own text, which may hold the whole address."""
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"certificate not trusted ({one.verify_message.rstrip('.').casefold()})"
    return next(
        (says for kind, says in _CAUSES if any(isinstance(one, kind) for one in chain)), "no connection"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
