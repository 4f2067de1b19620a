"""How a process of ours stops: asked by SIGTERM or SIGINT, and never later than promised.

What it waits for (a Redis that hangs, Sentinels that do not answer, a disk) may take longer than a process
manager allows. Ending then is safe: what was not done is due again when its lease ends, as after a kill.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from bridge.logs import get_logger

log = get_logger(__name__)

# Process managers give 25 s or more.
ENDS_WITHIN_S = 22.0


def stop_event(*, within_s: float = ENDS_WITHIN_S) -> threading.Event:
    """Set once this process is asked to stop; it ends `within_s` after that, whatever it is at."""
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            end_within(within_s)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping


def end_within(seconds: float) -> None:
    """End this process then, should it still be there."""

    def end() -> None:
        log.warning(
            "did not stop in time, killed; its jobs are due again when their leases end",
            after_s=seconds,
        )
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def tried_for(seconds: float, do: Callable[[], object]) -> None:
    """Do something that may hang, and wait for it no longer than this; what it raises is let go."""

    def run() -> None:
        try:
            do()
        except Exception as error:  # at the end of a process nobody can do anything about it
            log.debug("step skipped while stopping", error=type(error).__name__)

    thread = threading.Thread(target=run, name="stopping", daemon=True)
    thread.start()
    thread.join(seconds)
