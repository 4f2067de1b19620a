"""Starts the process that sends (`sender`), and ends it at its deadline: a receiver may hang."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from bridge.logs import get_logger

log = get_logger(__name__)

# Of all addresses together; what hangs longer counts as failed.
SEND_WITHIN_S = 8.0
# For Python and apprise to start: a second, unless the machine is busy.
_START_WITHIN_S = 20.0
_CHECK_WITHIN_S = 10.0
# Whoever sends is done with it by then.
LONGEST_S = _START_WITHIN_S + SEND_WITHIN_S + 5

Message = Mapping[str, str]


def name_of(number: int, url: SecretStr) -> str:
    """An address without its secrets: its place in NOTIFY_URLS, and its kind."""
    return f"address {number + 1} ({url.get_secret_value().partition('://')[0].lower()})"


def complaints(urls: Sequence[SecretStr]) -> list[str]:
    """A line for each address that apprise does not know."""
    if not urls:
        return []
    answers = {one["url"]: one["ok"] for one in _run({"urls": _texts(urls)}, within_s=_CHECK_WITHIN_S)}
    return [
        f"NOTIFY_URLS  {name_of(number, url)} is none that apprise knows; see https://appriseit.com/services/"
        for number, url in enumerate(urls)
        if answers.get(number) is False
    ]


def send(
    urls: Sequence[SecretStr],
    messages: Sequence[Message],
    where: Sequence[tuple[int, int]],
    *,
    delivered: Callable[[int, int], None] = lambda message, url: None,
) -> dict[tuple[int, int], str]:
    """Send messages, all at once.

    Args:
        where: pairs of a message's and an address's number.
        delivered: called for each pair at once.

    Returns:
        For each pair why it failed; empty where it was delivered.
    """
    found = dict.fromkeys(where, f"no answer within {SEND_WITHIN_S:.0f} s")
    order = {"urls": _texts(urls), "messages": list(messages), "where": list(where)}
    for one in _run(order, within_s=SEND_WITHIN_S):
        found[one["message"], one["url"]] = "" if one["ok"] else one["why"]
        if one["ok"]:
            delivered(one["message"], one["url"])
    return found


def _run(order: Mapping[str, Any], *, within_s: float) -> Iterator[dict[str, Any]]:
    """What the process says, up to its end or the deadline, which counts from when apprise is there."""
    with subprocess.Popen(
        [sys.executable, "-m", "bridge.notify.sender"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Not our settings: only what finds programs, packages, proxies and certificates.
        env={name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
    ) as process:
        ender = threading.Timer(_START_WITHIN_S + within_s, process.kill)
        ender.start()
        try:
            assert process.stdin and process.stdout  # noqa: S101 - as asked for
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(order))
                process.stdin.close()
            for line in process.stdout:
                try:
                    said = json.loads(line)
                except ValueError:
                    # Cut off at the deadline.
                    continue
                if "begins" in said:
                    ender.cancel()
                    ender = threading.Timer(within_s, process.kill)
                    ender.start()
                else:
                    yield said
        finally:
            ender.cancel()
            process.kill()


_OURS = ("NOTIFY_", "WEBHOOK_", "CLOUDTALK_", "KUSTOMER_", "MEMBRANE_", "OPS_", "REDIS_")


def _texts(urls: Sequence[SecretStr]) -> list[str]:
    return [url.get_secret_value() for url in urls]
