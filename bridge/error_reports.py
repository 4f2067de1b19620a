"""Reports faults to Sentry where SENTRY_DSN is set (the extra `sentry`).

What is logged as an error is reported: its constant text, the class and the place of the exception, and the
fields that hold ids. Texts of exceptions, local variables, requests and all other fields stay here: they may
quote a number, a name, a body or a token.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from bridge import __version__, logs
from bridge.logs import get_logger, masked

log = get_logger(__name__)

# Names of fields that hold ids of ours, and no text of others.
TAGS = ("call", "call_id", "job", "attempt", "kind", "logger", "request_id", "operation", "service", "cause")
_A_MINUTE = 30


def start(process: str, dsn: str | None, *, transport: Any = None) -> None:
    """Report this process's faults from now on. Nothing happens without a DSN."""
    if not dsn:
        return
    try:
        import sentry_sdk
    except ImportError:
        log.warning("faults are not reported: sentry-sdk is not installed")
        return
    try:
        sentry_sdk.init(
            dsn=dsn,
            release=f"callbridge@{__version__}",
            transport=transport,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            include_source_context=False,
            max_breadcrumbs=0,
            max_request_body_size="never",
            before_send=scrubbed,
        )
    except Exception as error:  # the DSN is none
        log.warning("faults are not reported: SENTRY_DSN is not understood", exc_info=error)
        return
    sentry_sdk.set_tag("process", process)
    logs.report_errors_to(_Reporter())


def scrubbed(event: Any, hint: Mapping[str, Any]) -> Any:
    """The event without what others wrote."""
    for name in ("request", "user", "extra", "breadcrumbs", "modules", "server_name"):
        event.pop(name, None)
    for error in event.get("exception", {}).get("values", ()):
        error["value"] = ""
        for frame in (error.get("stacktrace") or {}).get("frames", ()):
            frame.pop("vars", None)
    if "message" in event:
        event["message"] = masked(str(event["message"]))
    event["tags"] = {name: masked_tag(name, value) for name, value in (event.get("tags") or {}).items()}
    return event


def masked_tag(name: str, value: object) -> str:
    """Keys of calls are ids; all else is masked."""
    text = str(value)[:100]
    return text if name in ("call", "call_id", "request_id") else masked(text)


class _Reporter:
    """Sends an error that is logged; at most so many a minute, as a fault may repeat with each call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minute, self._sent = 0, 0
        self._lock = threading.Lock()

    def __call__(self, error: BaseException | None, event: Mapping[str, Any]) -> None:
        import sentry_sdk

        if not self._has_room():
            return
        with sentry_sdk.new_scope() as scope:
            for name in TAGS:
                if event.get(name) is not None:
                    scope.set_tag(name, str(event[name]))
            text = str(event.get("event", ""))
            if error is None:
                sentry_sdk.capture_message(text, level="error")
                return
            scope.set_tag("log", text)
            sentry_sdk.capture_exception(error)

    def _has_room(self) -> bool:
        with self._lock:
            minute = int(self._clock() // 60)
            if minute != self._minute:
                self._minute, self._sent = minute, 0
            self._sent += 1
            return self._sent <= _A_MINUTE
