"""`doctor --release`: the same checks for a release phase, where the exit code stops a deployment.

They end in time, whatever hangs; what the release may be about to mend stops nothing; and what containers
lack is said: a disk that lasts.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bridge.checks.check import Check
from bridge.settings import Settings

# Fly ends a release command after 5 minutes, Heroku after an hour.
WITHIN_S = 60.0


def release_checks(
    checks: Iterable[Check], settings: Settings, *, within_s: float = WITHIN_S
) -> Iterator[Check]:
    """The checks as far as they came in time; FAIL where they did not end."""
    yield from _container(settings)
    for check in _in_time(checks, within_s):
        # A refused key pauses its service, and the new one is in this release.
        is_past = check.name == "pause" and check.state == "FAIL"
        yield replace(check, state="warn") if is_past else check


def _container(settings: Settings) -> Iterator[Check]:
    if settings.ops_token is None and not settings.ops_tokens:
        yield Check(
            "OPS_TOKEN",
            "warn",
            "not set: each web process makes one of its own, which ends with its disk",
            "set OPS_TOKEN to a long random text",
        )
    if settings.recordings_url.startswith("file:"):
        yield Check(
            "recordings, disk",
            "warn",
            "RECORDINGS_URL is a folder: web sees what worker stores only on a disk that they share",
            "set RECORDINGS_URL to a bucket, such as s3://bucket?region=…, or record = false in the rules",
        )


def _in_time(checks: Iterable[Check], within_s: float) -> Iterator[Check]:
    """Made in a thread: a look-up of a name or a server that takes and says nothing is not waited for."""
    found: queue.Queue[Check | BaseException | None] = queue.Queue()

    def look() -> None:
        try:
            for check in checks:
                found.put(check)
            found.put(None)
        except BaseException as error:
            found.put(error)

    threading.Thread(target=look, daemon=True).start()
    ends = time.monotonic() + within_s
    while True:
        try:
            one = found.get(timeout=max(0.0, ends - time.monotonic()))
        except queue.Empty:
            yield Check(
                "time",
                "FAIL",
                f"the next check did not end within {within_s:.0f} s",
                "check network and addresses; `callbridge doctor` without --release waits longer",
            )
            return
        if one is None:
            return
        if isinstance(one, BaseException):
            raise one
        yield one
