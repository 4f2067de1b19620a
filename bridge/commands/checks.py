"""What `doctor` finds: one check, and how it is told."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import httpx2

from bridge.errors import AnswerTooLarge, TooSlow

# A clock that is further off puts calls at wrong times, and refuses signed webhooks at five minutes.
SKEW_S = 30.0

State = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    state: State
    says: str
    # What to do about it.
    do: str = ""


def clock(whose: str, off_s: float) -> Check:
    if abs(off_s) < SKEW_S:
        return Check(f"clock, {whose}", "ok", f"{abs(off_s):.0f} s apart")
    return Check(
        f"clock, {whose}", "warn", f"{abs(off_s):.0f} s apart", "set this machine's clock by NTP, or theirs"
    )


def not_answered(name: str, error: Exception) -> Check:
    """Why a service gave no answer. Only what never answered "cannot be reached".

    None of their text, which may hold the whole address.
    """
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message.rstrip(".").casefold()
            return Check(
                name,
                "FAIL",
                f"its certificate is not trusted ({why})",
                "check its address, and proxies",
            )
        if isinstance(cause, ssl.SSLError):
            return Check(
                name, "FAIL", "was reached, but no TLS connection could be made", "check its address"
            )
        if isinstance(cause, socket.gaierror):
            return Check(name, "FAIL", "the host name in its address is not known", "check address and DNS")
    if isinstance(error, httpx2.TimeoutException | TooSlow):
        return Check(name, "FAIL", "does not answer in time", "check network, proxy and address")
    if isinstance(error, AnswerTooLarge | httpx2.DecodingError | httpx2.ProtocolError):
        return Check(name, "FAIL", "answers with what cannot be read", "check its address in the settings")
    if isinstance(error, httpx2.ReadError | httpx2.WriteError):
        return Check(name, "FAIL", "was reached, and closed the connection", "check its address")
    return Check(name, "FAIL", f"cannot be reached ({type(error).__name__})", "check network and address")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
