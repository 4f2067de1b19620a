"""A process of its own that talks to apprise: `python -m bridge.notify.sender`.

Apprise takes 40 MB and a second to import, and a receiver may hang: so it is in no process of the bridge, and
whoever started this one ends it at its deadline. One JSON document comes in on standard input, as arguments
can be seen by other users; a line of JSON goes out once it begins, and one for each result.

    {"urls": […]}                            is each address one that apprise knows
    {"urls": […], "messages": [{"title", "body", "type"}, …], "where": [[message, url], …]}   send these
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apprise

_AT_ONCE = 16
_LONGEST_WORDS = 200
_printing = threading.Lock()


def main() -> int:
    order = json.load(sys.stdin)
    logging.getLogger("apprise").propagate = False
    services = [apprise.Apprise.instantiate(url, suppress_exceptions=True) for url in order["urls"]]
    _say({"begins": True})
    if "messages" not in order:
        for number, service in enumerate(services):
            _say({"url": number, "ok": service is not None})
        return 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for message, url in order["where"]:
            pool.submit(_send, order, services[url], message, url)
    return 0


def _send(order: dict[str, Any], service: Any, message: int, url: int) -> None:
    heard = _Heard(threading.get_ident())
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    ok, why = False, "apprise does not know this address"
    try:
        if service is not None:
            text = order["messages"][message]
            # Not through an `Apprise`: that sends from threads of its own, and what it logs is lost.
            ok = bool(service.notify(title=text["title"], body=text["body"], notify_type=text["type"]))
            why = "" if ok else _without_secrets(heard.last, order["urls"][url])
    except Exception as error:  # whatever a plugin raises: it is one address's
        why = type(error).__name__
    finally:
        logger.removeHandler(heard)
    _say({"message": message, "url": url, "ok": ok, "why": why})


class _Heard(logging.Handler):
    """The last warning of one thread."""

    def __init__(self, thread: int) -> None:
        super().__init__(logging.WARNING)
        self._thread, self.last = thread, "not delivered"

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.last = record.getMessage()


def _without_secrets(text: str, url: str) -> str:
    """Its first words, with every part of the address hidden that may be a key."""
    for part in sorted(re.split(r"[:/?&=@,;#]+", url), key=len, reverse=True):
        if len(part) > 3 and not re.fullmatch(r"\d+(\.\d+){3}|localhost", part):
            text = text.replace(part, "…")
    return " ".join(text.split())[:_LONGEST_WORDS]


def _say(result: dict[str, Any]) -> None:
    with _printing:
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
